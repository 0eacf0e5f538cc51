"""The published ACL rules, read from where users read them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

_TEXT = (ROOT / "docs/redis-acl.md").read_text("utf-8")

#: The rules of the read-only user.
(READ_ONLY_RULES,) = re.findall(r"^ACL SETUSER exporter on >PASSWORD (.+)$", _TEXT, re.MULTILINE)

#: What it needs besides in a cluster.
(CLUSTER_RULES,) = re.findall(r"^ACL SETUSER exporter (\+cluster.+)$", _TEXT, re.MULTILINE)

#: The user at a Sentinel.
(SENTINEL_RULES,) = re.findall(r"^ACL SETUSER scout on >PASSWORD (.+)$", _TEXT, re.MULTILINE)
#: Those of the management API: one that only reads, and one that writes.
API_READ_RULES, API_WRITE_RULES = re.findall(r"^ACL SETUSER api on >PASSWORD (.+)$", _TEXT, re.MULTILINE)

#: Those of a worker.
(WORKER_RULES,) = re.findall(r"^ACL SETUSER worker on >PASSWORD (.+)$", _TEXT, re.MULTILINE)

#: Those of who polls and migrates.
(POLLING_RULES,) = re.findall(r"^ACL SETUSER polling on >PASSWORD (.+)$", _TEXT, re.MULTILINE)
