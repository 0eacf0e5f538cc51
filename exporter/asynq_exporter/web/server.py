"""Serves the application on the configured addresses until it is told to stop."""

import asyncio
import errno
import logging
import os
import signal
import socket
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiohttp import web

from asynq_exporter import __version__, connect
from asynq_exporter.core.catalog import Catalog
from asynq_exporter.settings import OPTIONS, Settings, StartupError
from asynq_exporter.settings.options import Address
from asynq_exporter.settings.targets import Target
from asynq_exporter.web import memory
from asynq_exporter.web.api.paths import PREFIX
from asynq_exporter.web.app import create_app
from asynq_exporter.web.connections import Limits, Runner

if TYPE_CHECKING:
    from asynq_exporter.web.web_config import WebGuard

logger = logging.getLogger(__name__)

REMEDIES = {
    errno.EADDRINUSE: "another program listens there; stop it or choose another --{flag}",
    errno.EACCES: "this user may not; choose a port above 1023",
    errno.EADDRNOTAVAIL: "no interface has that address; choose another --{flag}",
}


def run(settings: Settings, catalog: Catalog, *, targets: Sequence[Target] = ()) -> int:
    """Serves until SIGTERM or SIGINT; the exit code.

    Raises:
        StartupError: an address cannot be listened on.
        SettingsError: a file that the settings name cannot be used.
    """
    return asyncio.run(_serve_until_signal(settings, catalog, targets))


async def _serve_until_signal(settings: Settings, catalog: Catalog, targets: Sequence[Target]) -> int:
    guard = guard_of(settings)
    app = create_app(
        settings,
        catalog,
        connect.make_source(settings),
        api_client=connect.make_api_redis(settings),
        where=connect.safe_url(settings),
        targets=targets,
        middlewares=(guard.middleware,) if guard else (),
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(memory.tell)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = await start(app, settings, tls=guard.tls.context if guard and guard.tls else None)
    try:
        logger.info(
            "Serving",
            extra={
                "version": __version__,
                "addresses": [str(address) for address in settings.web_listen_addresses],
                "redis": connect.safe_url(settings),
                "targets": len(targets),
            },
        )
        await stop.wait()
        logger.info("Stopping")
    finally:
        await runner.cleanup()
    return 0


def guard_of(settings: Settings) -> "WebGuard | None":
    """What the web configuration file asks of every request; raises SettingsError."""
    if settings.web_config_file is None:
        return None
    from asynq_exporter.web.web_config import WebGuard  # noqa: PLC0415 -- pydantic and bcrypt take long

    without_users = f"{PREFIX}/" if settings.api_token_file else None
    return WebGuard(settings.web_config_file, without_users=without_users)


async def start(
    app: web.Application,
    settings: Settings,
    *,
    tls: ssl.SSLContext | None = None,
    limits: Limits | None = None,
    option: str = "web_listen_addresses",
) -> Runner:
    """Listens on every address of an option; nothing is started, and nothing stays open, when one fails.

    Raises:
        StartupError: an address cannot be listened on.
    """
    sockets: list[socket.socket] = []
    try:
        for address in getattr(settings, option):
            sockets += bind(address, flag=OPTIONS[option].flag or "")
    except StartupError:
        for sock in sockets:
            sock.close()
        raise
    runner = Runner(app, limits=limits)
    await runner.setup()
    for sock in sockets:
        await runner.listen(sock, tls=tls)
    return runner


def bind(address: Address, *, flag: str = "web.listen-address") -> list[socket.socket]:
    """Sockets on an address; without a host, on every interface of both families.

    Raises:
        StartupError: what stands against it, and what to do.
    """
    try:
        if not address.host:
            both = socket.has_dualstack_ipv6()
            family = socket.AF_INET6 if both else socket.AF_INET
            return [socket.create_server(("", address.port), family=family, dualstack_ipv6=both)]
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        return [socket.create_server(place[:2], family=family) for family, _, _, _, place in found]
    except socket.gaierror as exc:
        raise StartupError(f"--{flag}: no such host {address.host!r}: {exc.strerror}") from exc
    except OSError as exc:
        number = exc.errno or 0
        remedy = REMEDIES.get(number, "choose another --{flag}").format(flag=flag)
        reason = os.strerror(number)
        raise StartupError(f"--{flag}: cannot listen on {address}: {reason}; {remedy}") from exc
