"""Steers a running worker by signals (guide sections 3.6 and 4.3)."""

import asyncio
import logging
import signal
from collections.abc import Callable

from asynq_exporter.core.catalog import Catalog
from asynq_exporter.core.worker import Server
from asynq_exporter.settings import OPTIONS, Settings, SettingsError

logger = logging.getLogger(__name__)

#: Reads flags, environment and config file once more.
Reread = Callable[[], tuple[Settings, Catalog]]

#: What a running worker takes over from the config file; all else needs another start.
LIVE = ("concurrency", "polling_enabled")


class Steering:
    """What each signal does to a server; every one is told in the log, as is what the server makes of it."""

    def __init__(self, server: Server, settings: Settings, catalog: Catalog, reread: Reread) -> None:
        self._server = server
        self._settings = settings
        self._catalog = catalog
        self._reread = reread
        #: Set when the worker is to end.
        self.ended = asyncio.Event()
        self._actions: dict[signal.Signals, Callable[[str], None]] = {
            signal.SIGTTIN: lambda by: self._change(+1, by),
            signal.SIGTTOU: lambda by: self._change(-1, by),
            signal.SIGTSTP: lambda by: server.set_polling(polling=False, by=by),
            signal.SIGCONT: lambda by: server.set_polling(polling=True, by=by),
            signal.SIGHUP: self._read_again,
            signal.SIGTERM: lambda _: self.ended.set(),
            signal.SIGINT: lambda _: self.ended.set(),
        }

    def install(self) -> None:
        """Hears signals from now on."""
        loop = asyncio.get_running_loop()
        for number in self._actions:
            loop.add_signal_handler(number, self._act, number)

    def remove(self) -> None:
        """Hears them no more."""
        loop = asyncio.get_running_loop()
        for number in self._actions:
            loop.remove_signal_handler(number)

    def _act(self, number: signal.Signals) -> None:
        logger.info("[Asynq] Signal received", extra={"signal": number.name})
        self._actions[number](number.name)

    def _change(self, step: int, by: str) -> None:
        number = self._server.own_concurrency + step
        if number < 1:
            logger.warning(
                "[Asynq] Concurrency is 1 already; to take no tasks send SIGTSTP", extra={"by": by}
            )
            return
        self._server.set_concurrency(number, by=by)

    def _read_again(self, by: str) -> None:
        try:
            settings, catalog = self._reread()
        except SettingsError as exc:
            fields = {"error": str(exc)}
            logger.warning("[Asynq] Configuration cannot be read; the one before stays", extra=fields)
            return
        changed = [n for n in OPTIONS if getattr(settings, n) != getattr(self._settings, n)]
        if catalog != self._catalog:
            changed.append("queues.profiles")
        late = [n for n in changed if n not in LIVE]
        logger.info(
            "[Asynq] Configuration read again",
            extra={"changed": ",".join(changed) or None, "needs_restart": ",".join(late) or None},
        )
        if "concurrency" in changed:
            self._server.set_concurrency(settings.concurrency, by=by)
        if "polling_enabled" in changed:
            self._server.set_polling(polling=settings.polling_enabled, by=by)
        self._settings, self._catalog = settings, catalog
