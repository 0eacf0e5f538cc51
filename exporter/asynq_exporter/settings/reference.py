"""The page `docs/configuration.md`, made from the declarations of options and config file."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, get_args

from pydantic import BaseModel

from asynq_exporter.settings import OPTIONS
from asynq_exporter.settings.config_file import Backpressure, Ladder, Profile, Texts, Thresholds
from asynq_exporter.settings.options import Option

INTRODUCTION = """\
# Configuration

Made from the declarations in `asynq_exporter.settings` and `asynq_exporter.settings.config_file` by `make docs`; a test compares.

Every option has a flag and an environment variable, and its flag without dashes is its key in the config file: `--redis.url`, `ASYNQ_REDIS_URL`
and `redis: {url: …}` are one. A flag beats the environment, which beats the config file, which beats the default. In the environment several
values are separated by spaces. Durations are written as in Prometheus: `500ms`, `10s`, `1m30s`.

`asynq-exporter config check FILE` checks a config file together with flags, environment and the files they name, and prints every mistake, or every
value and where it comes from.
"""

PROFILES = """\
## Own queues

The config file may describe your queues under `queues.profiles`; they **replace** the six documented ones. Queues that are not described are
exported all the same, without weight, capacity and thresholds. Keys are written below their sections, once each, without anchors; relative paths
start from the folder of the file.

```yaml
redis:
  url: redis://redis.internal:6379/0
  password-file: redis-password        # relative to this file

queues:
  exclude: ["test-.*"]
  profiles:
    emails:
      weight: 6
      capacity: 20000
      purpose: {en: transactional mail, zh: 交易邮件}
      thresholds:
        pending: {info: 100, warning: 1000, critical: 2000}
    failed-payments:
      thresholds:
        archived: {info: 0, warning: 5, critical: 20}

backpressure: {warning: 0.7, critical: 0.9}
```
"""

TARGETS = """\
## Further Redis

`targets.NAME` describes another Redis, which `/probe?target=NAME` tells of. It has the keys of the groups Redis, Redis TLS, Queues, Scan and Collectors,
`queues.profiles` and `backpressure`, and `labels`. What it leaves out it takes over from the exporter, but nothing of `redis`. Its secrets in the environment are
`ASYNQ_TARGET_NAME_REDIS_PASSWORD` and `ASYNQ_TARGET_NAME_REDIS_SENTINEL_PASSWORD`. More in [targets.md](targets.md).

```yaml
targets:
  orders:
    redis: {url: "redis-sentinel://sentinel:26379?master=orders", password-file: secrets/orders}
    labels: {env: production}
```
"""

WEB = """\
## The web configuration file

`--web.config.file` names a file in the format of Prometheus' exporter-toolkit. Users and headers are read anew when it changes, certificates when
they do. Paths are relative to the file.

```yaml
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  # client_auth_type: RequireAndVerifyClientCert    or VerifyClientCertIfGiven
  # client_ca_file: ca.crt
  # client_allowed_sans: [prometheus.example.com]
  # min_version: TLS12
basic_auth_users:
  prometheus: $2y$10$…    # htpasswd -nBC 10 prometheus
# http_server_config:
#   headers: {Strict-Transport-Security: max-age=31536000}
```
"""


def page() -> str:
    """The page as Markdown."""
    parts = [INTRODUCTION]
    for group, members in groupby(OPTIONS.values(), key=lambda option: option.group):
        parts += [f"## {group}\n", *_options(members)]
    parts += [PROFILES]
    for title, model in (
        ("`queues.profiles.NAME`", Profile),
        ("`thresholds`", Thresholds),
        ("`pending`, `archived`", Ladder),
        ("`backpressure`", Backpressure),
    ):
        parts += [f"{title}:\n", *_keys(model)]
    return "\n".join([*parts, TARGETS, WEB])


def _options(members: Iterable[Option]) -> Iterable[str]:
    yield "| flag | environment | default | meaning |\n|---|---|---|---|"
    for each in members:
        flag = "" if each.flag is None else f"`--{each.flag}`"
        if each.flag and not each.kind.metavar:
            flag += f", `--no-{each.flag}`"
        default = "" if each.default is None else f"`{each.default}`"
        yield f"| {flag} | `{each.environment}` | {default} | {each.sentence} |"
    yield ""


def _keys(model: type[BaseModel]) -> Iterable[str]:
    yield "| key | kind | meaning |\n|---|---|---|"
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = f" Default {default}." if isinstance(default, (int, float)) else ""
        yield f"| `{name}` | {_kind(field.annotation)} | {field.description}{shown} |"
    yield ""


def _kind(annotation: Any) -> str:
    words = {int: "whole number", float: "number", Texts: "text or section"}
    return next((word for kind, word in words.items() if kind in _parts(annotation)), "section")


def _parts(annotation: Any) -> Iterator[Any]:
    """A type and all that it is made of: `Annotated[int, ...] | None` has int in it."""
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)
