"""Small text files: what cannot be one is refused at once."""

import os
import re
from pathlib import Path

import pytest

from asynq_exporter.settings import text_file
from asynq_exporter.settings.text_file import TextFileError


def test_text_is_read_without_its_mark(tmp_path: Path) -> None:
    """UTF-8, with or without the mark that some editors write first."""
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbfqueue: \xe6\x97\xa5\n")

    assert "queue: 日\n" == text_file.read(tmp_path / "file", max_bytes=100)


@pytest.mark.parametrize("use", [lambda path: text_file.read(path, max_bytes=100), text_file.stamp])
def test_pipe_is_refused_without_waiting(tmp_path: Path, use: object) -> None:
    """Nobody may ever write into it, and the exporter would stand still."""
    os.mkfifo(tmp_path / "pipe")

    for path, words in (
        (tmp_path / "pipe", "pipe"),
        (tmp_path, "Is a directory"),
        (tmp_path / "no", "No such"),
    ):
        with pytest.raises(TextFileError, match=f"{re.escape(str(path))}.*{words}"):
            use(path)  # type: ignore[operator]


def test_refusals_leave_nothing_open(tmp_path: Path) -> None:
    """A file that is looked at before every connection must not use up descriptors."""
    (tmp_path / "file").write_text("text")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in (tmp_path, Path("/dev/null"), tmp_path / "no", tmp_path / "file"):
        with pytest.raises(TextFileError):
            text_file.read(path, max_bytes=1)

    assert before == len(list(Path("/proc/self/fd").iterdir()))
