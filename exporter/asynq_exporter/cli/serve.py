"""asynq-exporter serve."""

import logging
import os
from typing import Any

import click

from asynq_exporter import logs
from asynq_exporter.cli.command import Command
from asynq_exporter.cli.configured import configure
from asynq_exporter.cli.options import OF_SERVE

logger = logging.getLogger(__name__)


@click.command("serve", cls=Command, settings=OF_SERVE)
def serve(**values: Any) -> int:
    """Serve metrics, probes and the status page.

    A flag beats its environment variable, which beats the config file.
    """
    from asynq_exporter.web import server  # noqa: PLC0415

    resolved, catalog = configure(values, of=OF_SERVE)
    logs.configure(level=resolved.settings.log_level, form=resolved.settings.log_format)
    if resolved.settings.redis_url.password and resolved.origins["redis_url"] == "--redis.url":
        logger.warning(
            "Other users of this machine can read the password in --redis.url; use a password file"
        )
    _step_back(resolved.settings.scan_nice)
    return server.run(resolved.settings, catalog, targets=resolved.targets)


def _step_back(nice: int) -> None:
    """Lets others on the machine go first, unless whoever started this process has seen to that."""
    if os.getpriority(os.PRIO_PROCESS, 0) >= nice:
        return
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    except OSError as exc:
        logger.info("Not allowed to step back for others on the machine", extra={"err": str(exc)})
