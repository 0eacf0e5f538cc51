"""asynq-exporter serve."""

import logging
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
    return server.run(resolved.settings, catalog, targets=resolved.targets)
