"""The settings that flags, environment and config file give together: where environ is read."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asynq_exporter import logs
from asynq_exporter.cli.options import ALL
from asynq_exporter.core.catalog import Catalog, documented
from asynq_exporter.settings import OPTIONS, Resolved, Settings, find, resolve, value_of
from asynq_exporter.settings.options import Option

if TYPE_CHECKING:
    from asynq_exporter.settings import config_file

#: Field name -> what click made of the flag.
Values = Mapping[str, Any]


def configure(values: Values, *, of: Sequence[Option] = ALL) -> tuple[Resolved, Catalog]:
    """The settings and the catalogue that flags, environment and config file give together.

    Args:
        values: Field name -> what click made of the flag.
        of: The options that count; for others neither environment nor config file is looked at.

    Raises:
        SettingsError: something of them is wrong.
    """
    flags = {
        OPTIONS[name].flag or "": _texts(value)
        for name, value in values.items()
        if name in OPTIONS and value not in (None, ())
    }
    names = {each.environment for each in of}
    environment = {name: text for name, text in os.environ.items() if name in names}
    file = _config_file(flags, environment)
    if file is None:
        return resolve(flags=flags, environment=environment), documented()
    resolved = resolve(flags=flags, environment=environment, file=file.options)
    return _with_targets(resolved, file)


def logged(values: Values, of: Sequence[Option]) -> Settings:
    """The settings; what is logged from now on is logged as they say."""
    settings = configure(values, of=of)[0].settings
    logs.configure(level=settings.log_level, form=settings.log_format)
    return settings


def _texts(value: Any) -> tuple[str, ...]:
    return ("true" if value else "false",) if isinstance(value, bool) else tuple(value)


def _config_file(
    flags: Mapping[str, tuple[str, ...]], environment: Mapping[str, str]
) -> "config_file.ConfigFile | None":
    option = OPTIONS["config_file"]
    given = find(option, flags=flags, environment=environment, file={})
    if given is None:
        return None
    from asynq_exporter.settings import config_file  # noqa: PLC0415

    return config_file.load(value_of(option, given))


def _with_targets(resolved: Resolved, file: "config_file.ConfigFile") -> tuple[Resolved, Catalog]:
    """The targets of the file; without a Redis of its own the exporter takes the first of them."""
    from asynq_exporter.settings.targets import resolve_target  # noqa: PLC0415

    targets = tuple(
        resolve_target(name, described, main=resolved.settings, environment=os.environ)
        for name, described in file.targets.items()
    )
    if not targets or resolved.origins["redis_url"] != "default":
        return replace(resolved, targets=targets), file.catalog
    first = targets[0]
    origins = {**resolved.origins, **first.origins}
    return Resolved(settings=first.settings, origins=origins, targets=targets), first.catalog
