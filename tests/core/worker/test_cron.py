"""When periodic tasks are due: wire section 5.11."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.worker import cron, durations

#: A Thursday.
MOMENT = datetime(2026, 1, 1, 10, 30, 15, 250_000, tzinfo=UTC)

BERLIN = ZoneInfo("Europe/Berlin")


def next_five(spec: str, moment: datetime = MOMENT) -> list[str]:
    """The next times of a specification."""
    schedule, found = cron.parse(spec), []
    for _ in range(5):
        following = schedule.next_after(moment)
        assert following is not None
        moment = following
        found.append(f"{moment:%m-%dT%H:%M:%S}")
    return found


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("* * * * *", "01-01T10:31:00"),
        ("30 10 * * *", "01-02T10:30:00"),
        ("0 3 * * *", "01-02T03:00:00"),
        ("*/15 * * * *", "01-01T10:45:00"),
        ("0 9-17/4 * * MON-FRI", "01-01T13:00:00"),
        ("0 0 * * sun", "01-04T00:00:00"),
        ("0 0 ? * 7", "01-04T00:00:00"),
        ("0 0 15 */3 ?", "01-15T00:00:00"),
        ("5/20 * * * *", "01-01T10:45:00"),
        ("@hourly", "01-01T11:00:00"),
        ("@daily", "01-02T00:00:00"),
        ("@midnight", "01-02T00:00:00"),
        ("@weekly", "01-04T00:00:00"),
        ("@monthly", "02-01T00:00:00"),
        ("@yearly", "01-01T00:00:00"),
        ("@annually", "01-01T00:00:00"),
        ("@every 90s", "01-01T10:31:45"),
        ("@every 1h30m", "01-01T12:00:15"),
        ("@every 100ms", "01-01T10:30:16"),
        ("TZ=Asia/Shanghai 0 3 * * *", "01-01T19:00:00"),
        ("CRON_TZ=America/New_York  @daily", "01-02T05:00:00"),
    ],
)
def test_next_time(spec: str, expected: str) -> None:
    """The first time after a moment, in UTC."""
    assert next_five(spec)[0] == expected


@pytest.mark.parametrize(
    ("spec", "days"),
    [
        # A restriction on one of both alone.
        ("0 0 13 * *", ["01-13", "02-13", "03-13", "04-13", "05-13"]),
        ("0 0 * * 1", ["01-05", "01-12", "01-19", "01-26", "02-02"]),
        # Both: either.
        ("0 0 6 * 1", ["01-05", "01-06", "01-12", "01-19", "01-26"]),
        # A star with a step is a restriction for Go, and so either holds.
        ("0 0 */10 * 1", ["01-05", "01-11", "01-12", "01-19", "01-21"]),
        ("0 0 1-31/10 * 1", ["01-05", "01-11", "01-12", "01-19", "01-21"]),
        # A star among others makes the rest meaningless.
        ("0 0 6,* * 1", ["01-05", "01-12", "01-19", "01-26", "02-02"]),
        ("0 0 */1 * 1", ["01-05", "01-12", "01-19", "01-26", "02-02"]),
    ],
)
def test_days_of_month_and_week_as_in_go(spec: str, days: list[str]) -> None:
    """Whether both have to fit, or one of them."""
    assert [when[:5] for when in next_five(spec)] == days


@pytest.mark.parametrize(
    "spec",
    [
        *("", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "a * * * *"),
        *("*/0 * * * *", "5-1 * * * *", "@reboot", "@every", "@every 5", "@every soon", "0 0 31 2 *"),
        *("TZ=Mars/Base * * * * *", "TZ= * * * * *", "TZ=../x * * * * *"),
    ],
)
def test_what_is_no_specification_is_refused(spec: str) -> None:
    """When it is registered, not when it would have fired."""
    with pytest.raises(InvalidArgumentError):
        cron.parse(spec)


def test_zone_of_the_scheduler_holds_for_bare_specifications() -> None:
    """And a zone in the specification goes before it."""
    east = timezone(timedelta(hours=8))
    for spec, hour in (("0 3 * * *", 19), ("TZ=UTC 0 3 * * *", 3)):
        following = cron.parse(spec, east).next_after(MOMENT)
        assert following is not None
        assert following.astimezone(UTC).hour == hour


def test_daily_job_runs_once_when_clocks_change() -> None:
    """Neither left out when 02:30 does not exist, nor twice when it comes twice."""
    schedule = cron.parse("30 2 * * *", BERLIN)
    for day in (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)):
        first = schedule.next_after(day)
        assert first is not None
        second = schedule.next_after(first)
        assert second is not None
        assert (first.astimezone(BERLIN).date() - day.date()).days == 1
        assert (second.astimezone(BERLIN).date() - day.date()).days == 2


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("15s", 15 * 10**9),
        ("1h30m", 5400 * 10**9),
        ("1.5h", 5400 * 10**9),
        (".5s", 5 * 10**8),
        ("100ms", 10**8),
        ("2us", 2000),
        ("2µs", 2000),
        ("7ns", 7),
        ("-1m", -60 * 10**9),
        ("+1m", 60 * 10**9),
        ("2562047h47m16.854775807s", 2**63 - 1),
    ],
)
def test_durations_as_go_reads_them(text: str, nanoseconds: int) -> None:
    """Exact to the nanosecond."""
    assert durations.parse_ns(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "5", "h", "1d", "1h x", "--1h", "1e3s", "1 h", "9999999h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """As Go refuses it."""
    with pytest.raises(InvalidArgumentError):
        durations.parse_ns(text)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (7, "7ns"),
        (1500, "1.5µs"),
        (10**8, "100ms"),
        (15 * 10**9, "15s"),
        (90 * 10**9, "1m30s"),
        (1800 * 10**9, "30m0s"),
        (86_400 * 10**9, "24h0m0s"),
        (1_500_000_000, "1.5s"),
        (-60 * 10**9, "-1m0s"),
        (3_600_000_000_000 + 1, "1h0m0.000000001s"),
    ],
)
def test_durations_as_go_prints_them(nanoseconds: int, text: str) -> None:
    """The Inspector parses them back."""
    assert durations.text_of(nanoseconds) == text
    assert durations.parse_ns(text) == nanoseconds
