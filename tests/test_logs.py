"""The log lines: parseable, on one line, without secrets."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from asynq_exporter import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the lines go; the root logger is put back afterwards."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_has_the_fields(stream: io.StringIO) -> None:
    """Time, level, logger, event first, then the fields of the record."""
    logs.configure(level="info", form="json", stream=stream)
    extra = {"queues": 6, "queue": "日本"}
    logging.getLogger("asynq_exporter.web.server").warning("Hello %s", "there", extra=extra)

    line = json.loads(stream.getvalue())

    assert ["ts", "level", "logger", "event", "queues", "queue"] == list(line)
    assert ("warn", "web.server", "Hello there", 6, "日本") == tuple(line.values())[1:]


def test_logfmt_quotes_what_needs_it(stream: io.StringIO) -> None:
    """key=value, quoted where there is a space."""
    logs.configure(level="info", form="logfmt", stream=stream)
    logging.getLogger("asynq_exporter.x").info("Redis answers", extra={"a": 'say "hi"', "n": None})

    line = stream.getvalue()

    assert 'level=info logger=x event="Redis answers"' in line
    assert r"\"hi\"" in line


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_value_cannot_begin_a_line(stream: io.StringIO, form: str) -> None:
    """Line breaks and escapes in a value stay in it, whatever a queue is called."""
    logs.configure(level="info", form=form, stream=stream)
    logging.getLogger("x").error("Bad", extra={"queue": "a\nlevel=fatal\r\x1b[31m\u2028", "new\nkey": 1})

    (line,) = stream.getvalue().splitlines()
    assert "\x1b" not in line


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_endless_value_is_cut(stream: io.StringIO, form: str) -> None:
    """Whoever names a queue does not write the log."""
    logs.configure(level="info", form=form, stream=stream)
    logging.getLogger("x").error("Bad", extra={"queue": "q" * 1_000_000})

    assert len(stream.getvalue()) < 10_000
    assert "more characters" in stream.getvalue()


def test_passwords_in_urls_are_masked(stream: io.StringIO) -> None:
    """In the event and in every field."""
    logs.configure(level="info", form="logfmt", stream=stream)
    url = "redis://anna:hunter2@host/0"
    logging.getLogger("x").error("Cannot reach %s", url, extra={"error": f"at {url}"})

    assert "hunter2" not in stream.getvalue()
    assert "***@host" in stream.getvalue()


def test_exception_stays_on_its_line(stream: io.StringIO) -> None:
    """A traceback is a field, not twenty lines."""
    logs.configure(level="info", form="json", stream=stream)
    error = RuntimeError("redis://u:hunter2@h broke")
    logging.getLogger("x").error("Failed", exc_info=error)

    (line,) = stream.getvalue().splitlines()
    assert "RuntimeError" in json.loads(line)["exception"]
    assert "hunter2" not in line


VALUES = ["plain", "two words", 'say "hi"', "a\\b c", "x=1", "line one\nline two", "", "日本 queue"]


@pytest.mark.parametrize("text", VALUES)
def test_logfmt_can_be_read_back(stream: io.StringIO, text: str) -> None:
    """A program that reads the lines gets the values that were logged."""
    logs.configure(level="info", form="logfmt", stream=stream)
    logging.getLogger("x").info("Event here", extra={"value": text, "last": 1})

    fields = parsed(stream.getvalue())

    assert ("Event here", text, "1") == (fields["event"], fields["value"], fields["last"])


def parsed(line: str) -> dict[str, str]:
    """The fields of a logfmt line, read as Go's logfmt does."""
    fields: dict[str, str] = {}
    rest = line.rstrip("\n")
    while rest:
        match = re.match(r'([^\s=]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?: |$)', rest)
        assert match, rest
        quoted, bare = match[2], match[3]
        fields[match[1]] = bare if quoted is None else json.loads(f'"{quoted}"')
        rest = rest[match.end() :]
    return fields


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_fields_of_the_line_cannot_be_forged(stream: io.StringIO, form: str) -> None:
    """What a record brings along does not replace level, logger and event."""
    logs.configure(level="info", form=form, stream=stream)
    logging.getLogger("x").error("True", extra={"level": "debug", "logger": "y", "event": "False"})

    line = stream.getvalue()
    fields = json.loads(line) if form == "json" else parsed(line)
    assert ("error", "x", "True") == (fields["level"], fields["logger"], fields["event"])


def test_json_stays_json(stream: io.StringIO) -> None:
    """Numbers that JSON does not know become texts; a traceback keeps its lines."""
    logs.configure(level="info", form="json", stream=stream)
    extra = {"ratio": float("nan"), "most": float("inf"), "half": 0.5, "yes": True, "none": None}
    logging.getLogger("x").error("Odd", extra=extra, exc_info=ValueError("a\nb"))

    def refuse(word: str) -> None:
        pytest.fail(f"{word} is not JSON")

    line = json.loads(stream.getvalue(), parse_constant=refuse)
    assert ("nan", "inf", 0.5, True, None) == tuple(line[key] for key in extra)
    assert "ValueError: a\nb" == line["exception"]


@pytest.mark.parametrize(("level", "seen"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)])
def test_level_is_the_lowest_that_shows(stream: io.StringIO, level: str, seen: int) -> None:
    """Lower ones are not logged."""
    logs.configure(level=level, form="logfmt", stream=stream)
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logging.getLogger("x").log(number, "line")

    assert seen == len(stream.getvalue().splitlines())
