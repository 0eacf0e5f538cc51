"""The benchmarks judge rightly, send what was recorded, and their page follows from their results."""

import pytest
import redis
from bench import cost, goals, picture, replay, report, traffic
from bench.__main__ import SECTIONS
from bench.goals import GOALS, Goal, verdict
from bench.recording import on_the_wire, recorder
from bench.replay import Way
from bench.tables import read_tables, table

from tests.conftest import RedisServer, need_tool

SCRAPE = "Text.\n\n" + "\n\n".join(
    [
        table(["queues", "ours", "Go"], [["6", "1.5 ms", "3 ms"], ["1,000", "20 ms", "300 ms"]]),
        table(["queues", "Go / ours"], [["6", "**2.0**"], ["1,000", "**15.0**"]]),
    ]
)


def goal(**fields: object) -> Goal:
    """A goal on the table above: at least 2, or as told."""
    told = {"what": "", "section": "scrape", "column": "Go / ours", "limits": [2], "at_least": True, **fields}
    return Goal(**told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (goal(), "yes"),
        (goal(stretch=[16]), "yes"),
        (goal(stretch=[2]), "yes, stretch"),
        (goal(limits=[2, 16]), "**not at 1,000**"),
        (goal(limits=[2, 15]), "yes"),
        (goal(limits=[16]), "**no**"),
        (goal(limits=[10], rows=["1,000"]), "yes"),
        (goal(at_least=False), "**not at 1,000**"),
        (goal(at_least=False, limits=[15]), "yes"),
        (goal(column="ours", limits=[1.6], rows=["6"], at_least=False), "yes"),
        (goal(rows=["6", "5,000"]), "not measured"),
        (goal(column="Rust / ours"), "not measured"),
        (goal(of="groups"), "not measured"),
        (goal(section="soak"), "not measured"),
    ],
)
def test_goal_is_judged_by_the_table(wanted: Goal, said: str) -> None:
    """Reached, reached with more, missed and where, or not measured."""
    assert said == verdict(wanted, wanted.found({"scrape": SCRAPE}))


def test_cell_without_number_is_an_error() -> None:
    """A goal is not kept by a word."""
    with pytest.raises(ValueError, match="no number in the cell '-'"):
        goals.number("-")


def test_table_is_read_as_written() -> None:
    """Emphasis is no part of a cell."""
    first, second = read_tables(SCRAPE)

    assert [("6", "3 ms"), ("1,000", "300 ms")] == first.column("Go")
    assert [("6", "2.0"), ("1,000", "15.0")] == second.column("Go / ours")


def test_page_is_current() -> None:
    """`make bench ARGS=--page` writes exactly what is committed."""
    results = report.read_results(SECTIONS)

    assert report.page(results) == report.README.read_text("utf-8")
    assert picture.draw(results["scrape"]) == report.PICTURE.read_text("utf-8")


@pytest.mark.parametrize("each", GOALS, ids=lambda each: each.what)
def test_every_goal_is_measured(each: Goal) -> None:
    """A goal names a section, a column and rows that the results have."""
    results = (report.RESULTS / f"{each.section}.md").read_text("utf-8")

    assert each.found({each.section: results})


@pytest.mark.parametrize(
    ("usec", "seconds"),
    [
        ({"cmdstat_llen": 30, "cmdstat_info": 12}, 42e-6),
        ({"cmdstat_llen": 30, "cmdstat_config|resetstat": 500}, 30e-6),
        ({"cmdstat_llen": 30, "cmdstat_evalsha": 70, "cmdstat_sismember": 2, "cmdstat_smembers": 1}, 73e-6),
    ],
    ids=["plain", "our own question", "what scripts call counts once"],
)
def test_cost_of_redis(usec: dict[str, int], seconds: float) -> None:
    """The time of the commands that were sent."""
    stats = {name: {"calls": 1, "usec": value} for name, value in usec.items()}

    assert seconds == pytest.approx(cost.seconds(stats))


def test_script_is_known_by_its_text() -> None:
    """The script that samples memory is left out wherever it is called by its digest."""
    text = b'return redis.call("MEMORY", "USAGE", KEYS[1])'
    (digest,) = traffic.scripts_that_call(
        b'"MEMORY"', [[b"EVAL", text, b"1", b"k"], [b"EVAL", b"return 1", b"0"]]
    )
    calls = [[b"evalsha", digest, b"1", b"k"], [b"evalsha", b"0" * 40, b"0"], [b"smembers", b"q"]]

    assert calls[1:] == traffic.without({digest}, calls)


def test_recorded_is_what_was_sent(redis_sync: "redis.Redis", redis_server: RedisServer) -> None:
    """Commands are answered and are kept, byte for byte."""
    with recorder(redis_server.port) as recording, redis.Redis(port=recording.port) as client:
        client.ping()
        recording.forget()
        client.set("k", b"\xff\r\n")

        assert [[b"SET", b"k", b"\xff\r\n"]] == recording.commands()
    assert redis_sync.get("k") == b"\xff\r\n"


@pytest.mark.parametrize("way", ["together", "one-by-one"])
def test_replay_sends_all_of_it(redis_sync: "redis.Redis", redis_server: RedisServer, way: Way) -> None:
    """Each run waits for every reply, however long and however many."""
    need_tool("cc")
    replay.build()
    long = b"x" * 1_000_000
    commands = [[b"SET", b"long", long], [b"GET", b"long"], [b"MGET", b"none", b"long"], [b"INCR", b"n"]] * 50
    with replay.replay(redis_server.port, on_the_wire(commands), way) as once:
        for run in (1, 2):
            assert once() > 0
            assert redis_sync.get("n") == b"%d" % (50 * run)


def test_replay_of_an_error_fails(redis_server: RedisServer) -> None:
    """What Redis refuses was not measured."""
    need_tool("cc")
    replay.build()
    with (
        replay.replay(redis_server.port, on_the_wire([[b"PING"], [b"NONE"]]), "together") as once,
        pytest.raises(RuntimeError, match="the replay ended"),
    ):
        once()
