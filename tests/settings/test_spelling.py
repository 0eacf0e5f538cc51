"""Suggestions help, or keep quiet."""

import pytest

from asynq_exporter.settings import OPTIONS
from asynq_exporter.settings.spelling import meant, suggestion

FLAGS = [f"--{option.flag}" for option in OPTIONS.values() if option.flag]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("--redis.ur", ["--redis.url"]),
        ("--redis.password", ["--redis.password-file"]),
        ("--redis.tls.cafile", ["--redis.tls.ca-file"]),
        ("--web.listen-adress", ["--web.listen-address"]),
        ("--url", ["--redis.url", "--records.database-url"]),
        ("--config", ["--config.file"]),
        ("--x", []),
        ("--brightness", []),
        ("", []),
    ],
)
def test_only_close_words_are_suggested(word: str, expected: list[str]) -> None:
    """A mistyped flag, or a part of one; not everything that begins alike."""
    assert expected == meant(word, FLAGS)


def test_suggestion_is_the_end_of_a_sentence() -> None:
    """Nothing when nothing comes close."""
    assert "; did you mean weight?" == suggestion("wieght", ["weight", "capacity"])
    assert "" == suggestion("abc", [])
