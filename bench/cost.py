"""What something costs Redis itself."""

import statistics
from collections.abc import Mapping
from typing import Any

import redis

from bench.contestants import Once

TURNS = 5

#: Ours, not of what is measured.
RESET = "cmdstat_config|resetstat"


def redis_cpu(port: int, once: Once) -> float:
    """Seconds that Redis spends on the commands of one run, the median of a few."""
    client = redis.Redis(port=port)
    found = []
    for _ in range(TURNS):
        client.config_resetstat()
        once()
        found.append(seconds(client.info("commandstats")))
    return statistics.median(found)


def seconds(stats: Mapping[str, Any]) -> float:
    """The sum over the commands, of those in scripts only once."""
    usec = {name: int(entry["usec"]) for name, entry in stats.items() if name != RESET}
    scripts = [name for name in usec if name.startswith("cmdstat_eval")]
    # What a script calls is counted once more under its own name; Go's exporter sends only these beside its scripts.
    counted = [*scripts, "cmdstat_smembers", "cmdstat_sismember"] if scripts else list(usec)
    return sum(usec.get(name, 0) for name in counted) / 1e6
