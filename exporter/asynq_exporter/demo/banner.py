"""What the demo tells the person in front of it."""

import contextlib
import os
import sys
import textwrap
from collections.abc import Iterable

from asynq_exporter.demo.redis_server import EmbeddedRedis
from asynq_exporter.demo.scenarios import GOOD_DAY, LEAD_SECONDS, SCENARIOS, TABLE
from asynq_exporter.settings import Settings
from asynq_exporter.settings.options import Address

#: Hosts that listen on every interface; a browser on this machine finds them under this name.
EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - to be recognised, not to listen on
HERE = "localhost"

#: Of the right column.
WIDTH = 78
INDENT = " " * 15


def tell(text: str) -> None:
    """Writes to standard output at once; a reader that went away is none of our business."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def banner(settings: Settings, *, addresses: Iterable[Address], redis: EmbeddedRedis, scenario: str) -> str:
    """Where to look, what happens, how to stop, and how to let a Prometheus look too."""
    target = authority(next(iter(addresses)))
    root, path = f"http://{target}", settings.web_telemetry_path
    lines = [
        "asynq-exporter demo: the queues of a small company, on a Redis of their own",
        "",
        f"  Status page  {root}/",
        f"  Metrics      {root}{path}",
        f"               {root}/metrics/upstream  (the names of upstream's exporter)",
        f"  Redis        {redis.url}",
        f"               redis-cli -s {redis.socket_path}",
        f"  Scenario     {scenario}: {TABLE[scenario].summary}",
        *_how_to_change(scenario),
        "  Prometheus   add to scrape_configs in prometheus.yml:",
        "                 - job_name: app-asynq",
        *([f"                   metrics_path: {path}"] if path != "/metrics" else []),
        "                   scrape_interval: 15s",
        "                   static_configs:",
        f'                     - targets: ["{target}"]',
        "  Stop         Ctrl-C; nothing stays behind",
        "",
    ]
    return "\n".join(lines)


def authority(address: Address) -> str:
    """The address as a browser on this machine writes it."""
    host = HERE if address.host in EVERYWHERE else address.host
    return str(Address(host=host, port=address.port))


def _how_to_change(scenario: str) -> list[str]:
    others = ", ".join(name for name in SCENARIOS if name != scenario)
    lines = textwrap.wrap(f"others, by --scenario: {others}", WIDTH)
    if TABLE[scenario].during != GOOD_DAY:
        signal = f"kill -USR1 {os.getpid()}"
        lines.insert(0, f"begins in {LEAD_SECONDS:g} s; {signal} ends it, and begins it anew")
    return [INDENT + line for line in lines]
