"""Which options each command has."""

from asynq_exporter.settings import (
    FILES,
    LOGGING,
    OPTIONS,
    POLLING,
    QUEUES,
    RECORDS,
    REDIS,
    SCAN,
    TLS,
    WEB,
    WORKER,
)

#: The options of `serve`, of `config check`, which is given the file itself, of the demo, which brings its
#: own Redis, of `worker`, which scans nothing, of what looks at the task records, and of `poll`.
ALL = tuple(OPTIONS.values())
OF_SERVE = tuple(each for each in ALL if each.group not in (WORKER, POLLING) or each.name == "polling_queues")
TO_CHECK = tuple(each for each in ALL if each.group != FILES)
OF_THE_DEMO = tuple(
    each
    for each in OF_SERVE
    if each.group not in (REDIS, TLS, FILES, SCAN, RECORDS, POLLING) and each.name != "web_config_file"
)
OF_THE_WORKER = tuple(
    each
    for each in ALL
    if each.group in (WEB, FILES, REDIS, TLS, QUEUES, WORKER, LOGGING)
    and each.name not in ("web_listen_addresses", "queues_max")
)
OF_RECORDS = tuple(each for each in ALL if each.group in (REDIS, TLS, RECORDS, LOGGING, FILES))
POLLS_TOO = ("web_telemetry_path", "web_config_file", "worker_listen_addresses", "polling_enabled")
OF_POLL = tuple(
    each
    for each in ALL
    if each in OF_RECORDS
    or each.group == POLLING
    or each.name in (*POLLS_TOO, "concurrency", "shutdown_timeout_seconds")
)
OF_THE_DOCTOR = tuple(
    each for each in ALL if each.group in (REDIS, TLS, QUEUES, FILES) or each.name == "scan_timeout_seconds"
)
