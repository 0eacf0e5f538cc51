"""The systemd unit: known to systemd, closed as far as it goes, and of options that exist."""

import re
import subprocess
from pathlib import Path

import pytest

from asynq_exporter.settings import OPTIONS
from tests.conftest import need_tool

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "asynq-exporter.service"
ENVIRONMENT = UNIT.with_name("asynq-exporter.env")

#: Exposure in tenths, of 100, by `systemd-analyze security`; network and sockets are what an exporter needs.
MOST_EXPOSED = 15

PROGRAM = "/opt/asynq-exporter/bin/asynq-exporter"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there, for systemd looks."""
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text("utf-8").replace(PROGRAM, "/bin/true"))
    return path


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """What systemd-analyze says."""
    return subprocess.run(
        [need_tool("systemd-analyze"), *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_systemd_understands_every_line(unit: Path) -> None:
    """No unknown key, no value that is none."""
    done = analyze("verify", str(unit))

    assert (0, "") == (done.returncode, done.stderr)


def test_systemd_finds_mistakes(unit: Path) -> None:
    """What the check is worth."""
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectHouse=yes"))

    assert "ProtectHouse" in analyze("verify", str(unit)).stderr


def test_exposure_is_low(unit: Path) -> None:
    """By systemd's own measure, and higher without the hardening."""
    measure = ("security", "--offline=true", f"--threshold={MOST_EXPOSED}")
    done = analyze(*measure, str(unit))
    assert 0 == done.returncode, done.stdout
    kept = [line for line in unit.read_text().splitlines() if not re.match(r"(System|Protect|Private)", line)]
    unit.write_text("\n".join(kept))

    assert 0 != analyze(*measure, str(unit)).returncode


def test_password_is_a_credential() -> None:
    """It is in no argument and in no variable, and a memory dump is never written."""
    text = UNIT.read_text("utf-8")

    assert "LoadCredential=redis-password:/etc/asynq-exporter/redis-password" in text
    assert "ASYNQ_REDIS_PASSWORD_FILE=%d/redis-password" in text
    assert "LimitCORE=0" in text
    assert f"ExecStart={PROGRAM} serve\n" in text
    assert "ASYNQ_REDIS_PASSWORD=" not in text + ENVIRONMENT.read_text("utf-8")


def test_options_exist() -> None:
    """Every ASYNQ_ name in unit and example is an option."""
    named = set(re.findall(r"\bASYNQ_[A-Z_]+", UNIT.read_text("utf-8") + ENVIRONMENT.read_text("utf-8")))

    assert named
    assert set() == named - {option.environment for option in OPTIONS.values()}
