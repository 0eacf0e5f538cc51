"""Checks the bundle with the tools of its consumers: jsonnetfmt, promtool, amtool; says which are missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

JSONNETFMT = [
    "jsonnetfmt",
    "--test",
    "-n",
    "2",
    "--max-blank-lines",
    "2",
    "--string-style",
    "s",
    "--comment-style",
    "s",
]

#: Folders of the mixin, beside the files at the root.
JSONNET_FOLDERS = ("alerts", "dashboards")


def main() -> int:
    """Runs every check; the exit code says whether all passed."""
    sources = [
        *ROOT.glob("*.libsonnet"),
        *(p for f in JSONNET_FOLDERS for p in (ROOT / f).rglob("*.libsonnet")),
    ]
    rules = sorted((ROOT / "alerts" / "generated").glob("*.yaml"))
    tests = sorted((ROOT / "alerts" / "tests").glob("*.yaml"))
    alertmanager = ROOT / "prometheus" / "alertmanager" / "alertmanager.yml"
    checks = [
        [*JSONNETFMT, *map(str, sorted(sources))],
        ["promtool", "check", "rules", "--lint-fatal", *map(str, rules)],
        # The secrets and certificates it names are those of the user's machine.
        ["promtool", "check", "config", "--syntax-only", str(ROOT / "prometheus" / "prometheus.yml")],
        ["amtool", "check-config", str(alertmanager)],
    ]
    if tests:
        checks.append(["promtool", "test", "rules", *map(str, tests)])
    return max(map(_run, checks))


def _run(command: list[str]) -> int:
    if shutil.which(command[0]) is None:
        print(f"{command[0]} is not installed", file=sys.stderr)
        return int("CI" in os.environ)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{' '.join(command[:3])}:\n{done.stdout}{done.stderr}", file=sys.stderr)
    return int(done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
