"""Every option, once: flag, environment name, default, type, sentence, group.

The command line, the help page, the config file's keys and docs/configuration.md follow from the fields
of `Settings`. This module reads neither argv nor environ: `resolve` is handed both.
"""
# ruff: noqa: RUF009 -- `option` returns a dataclasses.field

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asynq_exporter.core.control import MAX_CONCURRENCY
from asynq_exporter.settings import options
from asynq_exporter.settings.database_url import DatabaseUrl
from asynq_exporter.settings.options import Address, Option, Secret, option
from asynq_exporter.settings.redis_url import HIGHEST_DB, RedisUrl, Topology, mask_whole

if TYPE_CHECKING:
    from asynq_exporter.settings.targets import Target

WEB, REDIS, TLS, QUEUES = "Web", "Redis", "Redis TLS", "Queues"
SCAN, COLLECTORS, LOGGING, FILES = "Scan", "Collectors", "Logging", "Config file"
RECORDS, API, WORKER, POLLING = "Task records", "API", "Worker", "Polling"

#: Paths the exporter answers itself, whatever the telemetry path is.
RESERVED_PATHS = ("/", "/metrics/upstream", "/probe", "/targets", "/-/", "/api/")


class SettingsError(ValueError):
    """An option, the config file or a file that an option names is wrong; one line with the remedy.

    A file may be wrong in several places: `problems` has a line for each, the text only the first.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(problems[0] + more)


class ConflictError(SettingsError):
    """An option does not go together with the others."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(f"{OPTIONS[name].shown}: {sentence}")
        self.name = name
        self.sentence = sentence


class StartupError(Exception):
    """The settings are right and yet the exporter cannot start, as when a port is in use; one line."""


def _parse_telemetry_path(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", text):
        raise ValueError(f"{text!r} is not a path; write / and letters, digits, . _ ~ - as in /metrics")
    if text in RESERVED_PATHS or text.startswith(("/-/", "/api/")):
        raise ValueError(f"{text!r} is taken by another page; write for example /metrics")
    return text


_TELEMETRY_PATH = options.Kind(metavar="PATH", parse=_parse_telemetry_path)
_REDIS_URL = options.Kind(metavar="URL", parse=RedisUrl.parse)
_WEBHOOK_URL = replace(options.TEXT, metavar="URL", show=mask_whole)
_DATABASE_URL = options.Kind(metavar="URL", parse=DatabaseUrl.parse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The exporter's options, checked; durations in seconds. Its repr masks secrets."""

    web_listen_addresses: tuple[Address, ...] = option(
        "web.listen-address",
        options.ADDRESS,
        default=":9876",
        repeatable=True,
        group=WEB,
        sentence="Address to serve HTTP on; may be given several times. Without a host: every interface.",
    )
    web_telemetry_path: str = option(
        "web.telemetry-path", _TELEMETRY_PATH, default="/metrics", group=WEB, sentence="Path of the metrics."
    )
    web_config_file: Path | None = option(
        "web.config.file",
        options.PATH,
        group=WEB,
        sentence="File that turns on TLS and basic authentication, in the format of Prometheus exporters.",
    )
    config_file: Path | None = option(
        "config.file", options.PATH, group=FILES, sentence="YAML file with options and own queue profiles."
    )
    redis_url: RedisUrl = option(
        "redis.url",
        _REDIS_URL,
        default="redis://127.0.0.1:6379/0",
        group=REDIS,
        sentence="The Redis that asynq uses: redis://, rediss:// (TLS), unix:// or asynq's redis-socket://;"
        " redis-sentinel://HOST,HOST?master=NAME or redis-cluster://HOST,HOST, both with rediss too."
        " Other users of the machine can read a password in a flag; prefer a password file.",
    )
    redis_db: int | None = option(
        "redis.db",
        options.integer(least=0, most=HIGHEST_DB),
        group=REDIS,
        sentence="Database number; overrides the one in the URL.",
    )
    redis_username: str | None = option(
        "redis.username", options.TEXT, group=REDIS, sentence="ACL user; overrides the one in the URL."
    )
    redis_password_file: Path | None = option(
        "redis.password-file",
        options.PATH,
        group=REDIS,
        sentence="File with the password, read anew for each connection; overrides every other password.",
    )
    redis_password: Secret | None = option(
        None,
        options.SECRET,
        environment="ASYNQ_REDIS_PASSWORD",
        group=REDIS,
        sentence="Password; overrides the one in the URL. There is no flag, for flags are public.",
    )
    redis_sentinel_username: str | None = option(
        "redis.sentinel.username",
        options.TEXT,
        group=REDIS,
        sentence="ACL user at the Sentinels; overrides the one in the URL.",
    )
    redis_sentinel_password_file: Path | None = option(
        "redis.sentinel.password-file",
        options.PATH,
        group=REDIS,
        sentence="File with the Sentinels' password; without any the Sentinels are asked without one.",
    )
    redis_sentinel_password: Secret | None = option(
        None,
        options.SECRET,
        environment="ASYNQ_REDIS_SENTINEL_PASSWORD",
        group=REDIS,
        sentence="The Sentinels' password; overrides the one in the URL, which is theirs too, as in asynq.",
    )
    redis_read_from: str = option(
        "redis.read-from",
        options.choice("master", "replica"),
        default="master",
        group=REDIS,
        sentence="Which nodes to read behind Sentinel or in a cluster. Replicas spare the master and lag"
        " behind it; where there is none the master is read.",
    )
    # Three attempts fit into the default scrape timeout of 10 s.
    redis_connect_timeout_seconds: float = option(
        "redis.connect-timeout",
        options.duration(least=0.001, most=300),
        default="3s",
        group=REDIS,
        sentence="How long opening a connection may take.",
    )
    redis_tls_ca_file: Path | None = option(
        "redis.tls.ca-file",
        options.PATH,
        group=TLS,
        sentence="Certificates (PEM) that may sign Redis' own; without it the system's are trusted.",
    )
    redis_tls_cert_file: Path | None = option(
        "redis.tls.cert-file",
        options.PATH,
        group=TLS,
        sentence="Client certificate (PEM), for a Redis that asks for one.",
    )
    redis_tls_key_file: Path | None = option(
        "redis.tls.key-file", options.PATH, group=TLS, sentence="Private key (PEM) of the client certificate."
    )
    redis_tls_server_name: str | None = option(
        "redis.tls.server-name",
        options.TEXT,
        group=TLS,
        sentence="Name that Redis' certificate must carry, when it is not the host of the URL.",
    )
    redis_tls_insecure_skip_verify: bool = option(
        "redis.tls.insecure-skip-verify",
        options.SWITCH,
        default="false",
        group=TLS,
        sentence="Accept any certificate. Whoever sits between can then read and change everything.",
    )
    queues_include: tuple[re.Pattern[str], ...] = option(
        "queues.include",
        options.PATTERN,
        repeatable=True,
        group=QUEUES,
        sentence="Only queues whose whole name matches are exported, or served by a worker; may be given"
        " several times.",
    )
    queues_exclude: tuple[re.Pattern[str], ...] = option(
        "queues.exclude",
        options.PATTERN,
        repeatable=True,
        group=QUEUES,
        sentence="Leave out queues whose whole name matches, even included ones; may be given several times.",
    )
    # About 40 series a queue: 1000 queues stay below the 50,000 samples that a small Prometheus takes easily.
    queues_max: int = option(
        "queues.max",
        options.integer(least=1, most=100_000),
        default="1000",
        group=QUEUES,
        sentence="Export at most this many queues; a metric says when there are more.",
    )
    # Prometheus' own default scrape timeout.
    scan_timeout_seconds: float = option(
        "scan.timeout",
        options.duration(least=0.05, most=600),
        default="10s",
        group=SCAN,
        sentence="How long a scan may take when the scraper does not say.",
    )
    # Time to render and send the answer; the blackbox exporter reserves the same.
    scan_timeout_offset_seconds: float = option(
        "scan.timeout-offset",
        options.duration(least=0, most=60),
        default="500ms",
        group=SCAN,
        sentence="Subtracted from the scraper's own timeout (X-Prometheus-Scrape-Timeout-Seconds), so that an"
        " answer arrives in time.",
    )
    scan_cache_ttl_seconds: float = option(
        "scan.cache-ttl",
        options.duration(least=0, most=3600),
        default="0s",
        group=SCAN,
        sentence="Serve the last scan again for this long. Scrapes at the same time share one scan anyway.",
    )
    # Measured beside Redis on two cores: without it another client of Redis waits several times as long.
    scan_nice: int = option(
        "scan.nice",
        options.integer(least=0, most=19),
        default="10",
        group=SCAN,
        sentence="How far the exporter steps back where Redis and others on its machine need the processor,"
        " as a nice value; 0 to compete with them.",
    )
    collector_memory: bool = option(
        "collector.memory",
        options.SWITCH,
        default="true",
        group=COLLECTORS,
        sentence="Estimate each queue's memory from a sample of its tasks, in the background.",
    )
    collector_groups: bool = option(
        "collector.groups",
        options.SWITCH,
        default="true",
        group=COLLECTORS,
        sentence="Count aggregating tasks group by group, in the background.",
    )
    collector_types: bool = option(
        "collector.types",
        options.SWITCH,
        default="true",
        group=COLLECTORS,
        sentence="Sample which types of task are waiting, in the background.",
    )
    collector_task_timings: bool = option(
        "collector.task-timings",
        options.SWITCH,
        default="false",
        group=COLLECTORS,
        sentence="Show how long tasks take and wait, of workers that share it, read in the background.",
    )
    collector_interval_seconds: float = option(
        "collector.interval",
        options.duration(least=1, most=86_400),
        default="1m",
        group=COLLECTORS,
        sentence="Time between two background samples.",
    )
    # One percent of what a small Redis answers in a second.
    collector_max_commands_per_second: int = option(
        "collector.max-commands-per-second",
        options.integer(least=1, most=1_000_000),
        default="500",
        group=COLLECTORS,
        sentence="Redis commands that the background collectors together may send in a second.",
    )
    records_database_url: DatabaseUrl = option(
        "records.database-url",
        _DATABASE_URL,
        default="sqlite:///asynq-records.db",
        environment="ASYNQ_DATABASE_URL",
        group=RECORDS,
        sentence="The database of the task records: postgresql:// in production, or a file, sqlite:///. Other"
        " users of the machine can read a password in a flag; prefer the environment or PGPASSFILE.",
    )
    records_webhook_url: str | None = option(
        "records.webhook-url",
        _WEBHOOK_URL,
        group=RECORDS,
        sentence="Where refunds are made by a service of yours, told by signed messages; else the ledger of"
        " the database makes them.",
    )
    records_webhook_secret_file: Path | None = option(
        "records.webhook-secret-file",
        options.PATH,
        group=RECORDS,
        sentence="File with the secret that signs these messages; 16 bytes or more.",
    )
    api_token_file: Path | None = option(
        "api.token-file",
        options.PATH,
        environment="ASYNQ_ADMIN_TOKEN_FILE",
        group=API,
        sentence="File with the tokens of the management API, read anew when it changes; without it the API"
        " is off. A line is TOKEN (an admin), ROLE:TOKEN or ROLE:NAME:TOKEN, ROLE viewer, operator or admin;"
        " TOKEN may be sha256: and its hash.",
    )
    api_read_only: bool = option(
        "api.read-only",
        options.SWITCH,
        default="false",
        environment="ASYNQ_READONLY",
        group=API,
        sentence="Refuse every write of the management API, whoever asks.",
    )
    api_payloads: str = option(
        "api.payloads",
        options.choice("viewer", "operator", "admin", "nobody"),
        default="operator",
        group=API,
        sentence="Lowest role that is shown payloads, results and headers of tasks.",
    )
    api_redis_username: str | None = option(
        "api.redis-username",
        options.TEXT,
        group=API,
        sentence="ACL user that the API takes instead of the exporter's, which then need only read.",
    )
    api_redis_password_file: Path | None = option(
        "api.redis-password-file",
        options.PATH,
        group=API,
        sentence="File with the password of that user.",
    )
    worker_listen_addresses: tuple[Address, ...] = option(
        "worker.listen-address",
        options.ADDRESS,
        default=":9877",
        repeatable=True,
        group=WORKER,
        sentence="Address on which a worker serves its metrics and probes; may be given several times.",
    )
    # These three are named, and have the defaults, as in section 6.1 of the guide.
    polling_enabled: bool = option(
        "polling.enabled",
        options.SWITCH,
        default="true",
        group=WORKER,
        sentence="Take tasks. Without it a worker lives, says so, and takes none: the emergency stop.",
    )
    concurrency: int = option(
        "concurrency",
        options.integer(least=1, most=MAX_CONCURRENCY),
        default="10",
        group=WORKER,
        sentence="Tasks that a worker runs at the same time.",
    )
    queues_strict: bool = option(
        "queues.strict",
        options.SWITCH,
        default="false",
        group=WORKER,
        sentence="Empty a queue of higher weight before looking into one of lower weight.",
    )
    retry_policy: str = option(
        "retry.policy",
        options.choice("asynq", "long", "medium", "short", "default"),
        default="asynq",
        group=WORKER,
        sentence="How long a failed task waits: as asynq itself has it, or one of the guide's policies.",
    )
    shutdown_timeout_seconds: float = option(
        "shutdown.timeout",
        options.duration(least=0, most=86_400),
        default="8s",
        group=WORKER,
        sentence="What running tasks have to end in a shutdown; then they go back to their queues.",
    )
    task_timings_share: bool = option(
        "task-timings.share",
        options.SWITCH,
        default="false",
        group=WORKER,
        sentence="Add how long tasks take and wait to sums in Redis, for an exporter with"
        " --collector.task-timings.",
    )
    polling_fallback: bool = option(
        "polling.fallback",
        options.SWITCH,
        default="true",
        environment="UPDATE_TASK",
        group=POLLING,
        sentence="Poll tasks straight from the database while the queue is off or down.",
    )
    polling_interval_seconds: float = option(
        "polling.interval",
        options.seconds(least=1, most=3600),
        default="15s",
        environment="TASK_POLL_INTERVAL",
        group=POLLING,
        sentence="Time between two rounds of the fallback; a number without a unit is seconds.",
    )
    polling_migrate_existing: bool = option(
        "polling.migrate-existing",
        options.SWITCH,
        default="false",
        environment="ASYNQ_MIGRATE_EXISTING",
        group=POLLING,
        sentence="At the start, put unfinished tasks of the database that have no job yet into the queue.",
    )
    polling_queues: tuple[str, ...] = option(
        "polling.queue",
        options.TEXT,
        default="scheduled",
        repeatable=True,
        group=POLLING,
        sentence="Queue of the jobs that poll; may be given several times, where records name several.",
    )
    log_level: str = option(
        "log.level",
        options.choice("debug", "info", "warn", "error"),
        default="info",
        group=LOGGING,
        sentence="Lowest level to log.",
    )
    log_format: str = option(
        "log.format",
        options.choice("logfmt", "json"),
        default="logfmt",
        group=LOGGING,
        sentence="Form of the log lines on standard error.",
    )

    def __post_init__(self) -> None:
        """Checks what only several options together can get wrong; raises ConflictError."""
        for name in ("web_listen_addresses", "worker_listen_addresses"):
            addresses = getattr(self, name)
            if len(set(addresses)) < len(addresses):
                raise ConflictError(name, "the same address is given twice; remove one")
            if not addresses:
                default = OPTIONS[name].default
                raise ConflictError(name, f"no address is given; write for example {default}")
        self._check_tls()
        self._check_topology()

    def _check_tls(self) -> None:
        for first, second in (("cert", "key"), ("key", "cert")):
            given, missing = (getattr(self, f"redis_tls_{part}_file") for part in (first, second))
            if given is not None and missing is None:
                raise ConflictError(
                    f"redis_tls_{first}_file", f"needs redis.tls.{second}-file too; give both"
                )
        if self.api_redis_password_file is not None and self.api_redis_username is None:
            raise ConflictError("api_redis_password_file", "needs api.redis-username too; give both")
        if (self.records_webhook_url is None) is not (self.records_webhook_secret_file is None):
            given = "url" if self.records_webhook_url else "secret-file"
            name = f"records_webhook_{given.replace('-', '_')}"
            raise ConflictError(name, "records.webhook-url and records.webhook-secret-file go together")
        if not self.redis_url.tls:
            # Silence would let a user believe in an encryption that is not there.
            self._refuse("redis_tls_", "write rediss:// or remove it")

    def _check_topology(self) -> None:
        topology = self.redis_url.topology
        if topology is not Topology.SENTINEL:
            self._refuse("redis_sentinel_", "write redis-sentinel:// or remove it")
        if topology is Topology.CLUSTER and (self.redis_db or self.redis_url.db):
            raise ConflictError(
                "redis_db" if self.redis_db else "redis_url", "a cluster has only database 0; leave it out"
            )
        if topology is Topology.SINGLE and self.redis_read_from == "replica":
            raise ConflictError(
                "redis_read_from",
                "needs Sentinel or a cluster to know the replicas; or give the URL of the replica itself",
            )

    def _refuse(self, prefix: str, remedy: str) -> None:
        for name in (name for name in OPTIONS if name.startswith(prefix) and getattr(self, name)):
            raise ConflictError(name, f"has no effect on {self.redis_url}; {remedy}")

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{o.name}={text!r}' for o, text in self.shown())})"

    def shown(self) -> Iterator[tuple[Option, str]]:
        """Every option with its value as text, secrets masked."""
        for each in OPTIONS.values():
            yield each, each.show(getattr(self, each.name))


#: Every option by field name, in the order of help and documentation.
OPTIONS: Mapping[str, Option] = options.declared_in(fields(Settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The texts of an option at one origin, and the words that name that origin to a person."""

    #: May hold a password, so no repr shows them.
    texts: Sequence[str] = field(repr=False)
    where: str
    #: Folder that relative paths start from; None for the working directory.
    folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Settings, and for each field where its value came from: flag, variable, line of the file, default."""

    settings: Settings
    origins: Mapping[str, str]
    #: Further Redis.
    targets: "tuple[Target, ...]" = ()


def resolve(
    *,
    flags: Mapping[str, Sequence[str]] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Mapping[str, Given] | None = None,
) -> Resolved:
    """The settings: flag beats environment beats config file beats default.

    Flags and file are keyed by flag without dashes; an empty environment variable counts as not set.

    Raises:
        SettingsError: names the flag, variable or line, the value, and the remedy.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for each in OPTIONS.values():
        given = find(each, flags=flags or {}, environment=environment or {}, file=file or {})
        origins[each.name] = "default" if given is None else given.where
        if given is not None:
            values[each.name] = value_of(each, given)
    try:
        return Resolved(settings=Settings(**values), origins=origins)
    except ConflictError as exc:
        raise SettingsError(f"{origins[exc.name]}: {exc.sentence}") from exc


def find(
    each: Option,
    *,
    flags: Mapping[str, Sequence[str]],
    environment: Mapping[str, str],
    file: Mapping[str, Given],
) -> Given | None:
    """What was given for an option at its strongest origin."""
    if each.flag is not None and (texts := flags.get(each.flag)):
        return Given(texts=texts, where=f"--{each.flag}")
    if text := environment.get(each.environment):
        return Given(texts=text.split() if each.repeatable else [text], where=each.environment)
    return file.get(each.key) if each.key is not None else None


def value_of(each: Option, given: Given) -> Any:
    """The value of an option; raises SettingsError."""
    try:
        parsed = [each.kind.parse(text) for text in given.texts]
    except ValueError as exc:
        raise SettingsError(f"{given.where}: {exc}") from exc
    if each.kind.is_path and given.folder is not None:
        parsed = [given.folder / path for path in parsed]
    return tuple(parsed) if each.repeatable else parsed[-1]
