"""The collector of the task records' numbers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from asynq_exporter.core import FixedClock
from asynq_exporter.core.errors import UnavailableError
from asynq_exporter.core.records import Status, Summary
from asynq_exporter.scan.background.records import RecordsCollector

SUMMARY = Summary(
    counts=dict.fromkeys(Status, 0),
    oldest_unfinished_at=None,
    refunds=0,
    refunded_credits=0,
    refunds_due=0,
    open_settlements=0,
    oldest_open_at=None,
)

Answer = Callable[[], Awaitable[Summary]]


class Source:
    """A database that answers as it is told."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = iter(answers)
        self.is_closed = False

    async def summary(self) -> Summary:
        """The next answer."""
        return await next(self._answers)()

    async def close(self) -> None:
        """Notes it."""
        self.is_closed = True


async def well() -> Summary:
    """What a database that is there answers."""
    return SUMMARY


async def away() -> Summary:
    """What one that is not there does."""
    raise UnavailableError("the database is away")


async def hung() -> Summary:
    """And one that hangs."""
    await asyncio.Event().wait()
    raise AssertionError


async def test_numbers_are_kept_with_their_moment() -> None:
    """Until the next round."""
    clock = FixedClock(seconds=1000)
    source = Source(well)
    collector = RecordsCollector(lambda: source, polling_queues=("a",), clock=clock)
    assert collector.latest is None

    found = await collector.collect()
    await collector.close()

    assert found is collector.latest
    assert (SUMMARY, ("a",), True, 1000) == (
        found.summary,
        found.polling_queues,
        found.part.success,
        found.part.sampled_at_seconds,
    )
    assert source.is_closed


async def test_database_that_is_away_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing old passes for new, the log has a line for its going and its coming back."""
    caplog.set_level(logging.INFO)
    source = Source(well, away, away, well)
    collector = RecordsCollector(lambda: source, clock=FixedClock(seconds=1000))

    rounds = [await collector.collect() for _ in range(4)]

    assert [True, False, False, True] == [found.part.success for found in rounds]
    assert [SUMMARY, None, None, SUMMARY] == [found.summary for found in rounds]
    assert (1000, "the database is away") == (rounds[2].part.sampled_at_seconds, rounds[2].part.error)
    assert ["Task records cannot be read", "Task records can be read again"] == caplog.messages


async def test_database_that_hangs_is_left_alone() -> None:
    """The round has an end."""
    collector = RecordsCollector(lambda: Source(hung), timeout_seconds=0.01)

    assert "did not answer within 0.01 s" in (await collector.collect()).part.error


async def test_database_that_cannot_be_opened_is_tried_again() -> None:
    """A wrong address, or a file that is not there yet, ends nothing; and rounds come sooner meanwhile."""
    sources = iter([None, None, Source(well)])
    pauses: list[float] = []

    def connect() -> Source:
        if (source := next(sources)) is None:
            raise ValueError("no such file")
        return source

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    collector = RecordsCollector(connect, interval_seconds=60, sleep=sleep)
    with pytest.raises(asyncio.CancelledError):
        await collector.run()

    assert [5, 10, 60] == pauses
    assert collector.latest is not None
    assert collector.latest.part.success
