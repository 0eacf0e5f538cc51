"""asynq-exporter config check."""

from collections.abc import Iterable
from typing import Any

import click

from asynq_exporter.cli.command import CONTEXT, Command
from asynq_exporter.cli.configured import configure
from asynq_exporter.cli.options import TO_CHECK
from asynq_exporter.cli.output import USAGE_ERROR, fail, one_line
from asynq_exporter.core.catalog import Catalog
from asynq_exporter.settings import Resolved, SettingsError


@click.group("config", context_settings=CONTEXT)
def config() -> None:
    """Look at the configuration."""


@config.command(cls=Command, settings=TO_CHECK, short_help="Check the configuration and print it.")
@click.argument("file", required=False, metavar="[FILE]")
def check(file: str | None, **values: Any) -> int:
    """Check options, environment and config FILE; print every value and where it comes from.

    Secrets are masked. Nothing is connected to. Without FILE the one that
    ASYNQ_CONFIG_FILE names is read.
    """
    from asynq_exporter import connect  # noqa: PLC0415

    try:
        resolved, catalog = configure(values | ({"config_file": (file,)} if file else {}))
        for target in resolved.targets:
            connect.check(target.settings, target=target.name)
        connect.check(resolved.settings)
        _check_web_config(resolved)
        _check_tokens(resolved)
    except SettingsError as exc:
        for problem in exc.problems:
            fail(problem, USAGE_ERROR)
        return USAGE_ERROR
    rows = [
        (each.flag or each.environment, text or "-", resolved.origins[each.name])
        for each, text in resolved.settings.shown()
    ]
    origin = str(resolved.settings.config_file or "default")
    rows += [(name, text, origin) for name, text in _described(catalog)]
    rows += [row for target in resolved.targets for row in target.shown()]
    width = max(len(name) for name, _, _ in rows)
    for name, text, where in rows:
        click.echo(one_line(f"{name:<{width}}  {text}  ({where})"))
    return 0


def _check_web_config(resolved: Resolved) -> None:
    if resolved.settings.web_config_file is not None:
        from asynq_exporter.web.web_config import WebGuard  # noqa: PLC0415

        WebGuard(resolved.settings.web_config_file)


def _check_tokens(resolved: Resolved) -> None:
    if resolved.settings.api_token_file is not None:
        from asynq_exporter.web.api import tokens  # noqa: PLC0415

        tokens.load(resolved.settings.api_token_file)


def _described(catalog: Catalog) -> Iterable[tuple[str, str]]:
    """What the config file can say besides options, by key."""
    for queue, profile in catalog.queues.items():
        numbers = {"weight": profile.weight, "capacity": profile.capacity}
        for state, ladder in profile.thresholds.items():
            numbers |= {f"{state}.{level}": number for level, number in ladder.items()}
        yield f"queues.profiles.{queue}", " ".join(f"{name}={number}" for name, number in numbers.items())
    yield "backpressure", f"warning={catalog.backpressure.warning} critical={catalog.backpressure.critical}"
