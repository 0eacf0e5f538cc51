"""Further Redis that one exporter watches, each under a name: what the config file says of them.

A target takes over what it does not say, but never how to reach Redis and who signs in: a password for one
Redis is nobody else's business.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from asynq_exporter.core.catalog import Catalog
from asynq_exporter.settings import (
    COLLECTORS,
    OPTIONS,
    QUEUES,
    REDIS,
    SCAN,
    TLS,
    ConflictError,
    Given,
    Settings,
    SettingsError,
    value_of,
)
from asynq_exporter.settings.options import ENVIRONMENT_PREFIX, Option

#: Groups of options that a target says itself or not at all.
OWN = (REDIS, TLS)

#: Keys that a target may have.
KEYS: Mapping[str, Option] = {
    each.key: each
    for each in OPTIONS.values()
    if each.key is not None and each.group in (*OWN, QUEUES, SCAN, COLLECTORS)
}

SECRETS = tuple(each for each in OPTIONS.values() if each.flag is None and each.group in OWN)

#: Names travel in URLs and labels.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
LABEL = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*")

#: Each takes up to three connections and the memory of its queues.
MOST_TARGETS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A target as the config file describes it."""

    options: Mapping[str, Given]
    catalog: Catalog
    #: Labels that service discovery gives to all of its series.
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A Redis to watch."""

    name: str
    settings: Settings
    catalog: Catalog
    labels: Mapping[str, str]
    #: Field of the settings -> where the target's own value came from.
    origins: Mapping[str, str]

    def shown(self) -> Iterator[tuple[str, str, str]]:
        """Key, value as text and origin of what is its own, secrets masked."""
        for each, text in self.settings.shown():
            if each.name in self.origins:
                yield f"targets.{self.name}.{each.key or each.environment}", text, self.origins[each.name]


def variable(name: str, secret: Option) -> str:
    """The environment variable with a secret of a target, as ASYNQ_TARGET_ORDERS_REDIS_PASSWORD."""
    word = re.sub(r"\W|[.-]", "_", name).upper()
    return f"{ENVIRONMENT_PREFIX}TARGET_{word}_{secret.environment.removeprefix(ENVIRONMENT_PREFIX)}"


def resolve_target(
    name: str, described: Described, *, main: Settings, environment: Mapping[str, str]
) -> Target:
    """The settings of a target; raises SettingsError."""
    values: dict[str, Any] = {
        each.name: getattr(main, each.name) for each in OPTIONS.values() if each.group not in OWN
    }
    origins: dict[str, str] = {}
    for key, given in described.options.items():
        values[KEYS[key].name] = value_of(KEYS[key], given)
        origins[KEYS[key].name] = given.where
    for secret in SECRETS:
        if text := environment.get(variable(name, secret)):
            values[secret.name] = value_of(secret, Given(texts=[text], where=variable(name, secret)))
            origins[secret.name] = variable(name, secret)
    try:
        settings = Settings(**values)
    except ConflictError as exc:
        raise SettingsError(f"{origins.get(exc.name, f'targets.{name}')}: {exc.sentence}") from exc
    return Target(
        name=name, settings=settings, catalog=described.catalog, labels=described.labels, origins=origins
    )
