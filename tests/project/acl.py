"""The published ACL rules, read from where users read them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: The rules of the read-only user.
(READ_ONLY_RULES,) = re.findall(
    r"^ACL SETUSER exporter on >PASSWORD (.+)$", (ROOT / "docs/redis-acl.md").read_text("utf-8"), re.MULTILINE
)

#: What it needs besides in a cluster.
(CLUSTER_RULES,) = re.findall(
    r"^ACL SETUSER exporter (\+cluster.+)$", (ROOT / "docs/redis-acl.md").read_text("utf-8"), re.MULTILINE
)

#: The user at a Sentinel.
(SENTINEL_RULES,) = re.findall(
    r"^ACL SETUSER scout on >PASSWORD (.+)$", (ROOT / "docs/redis-acl.md").read_text("utf-8"), re.MULTILINE
)
