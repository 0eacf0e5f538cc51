"""Task IDs of the guide (section 1.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynq_exporter.core import InvalidArgumentError, job_id
from asynq_exporter.core.job_id import JobKind

TABLE = [
    ("job:task_abc:0", "task_abc", JobKind.INITIAL, 0),
    ("job:task_abc:3", "task_abc", JobKind.RETRY, 3),
    ("job:task_abc:120", "task_abc", JobKind.RETRY, 120),
    ("job:task_abc:retry:1642000000", "task_abc", JobKind.DEAD_LETTER_RETRY, 1_642_000_000),
    ("job:a:b:c:7", "a:b:c", JobKind.RETRY, 7),
    ("job:a:0:0", "a:0", JobKind.INITIAL, 0),
    ("job:retry:5", "retry", JobKind.RETRY, 5),
    ("job:job:x:0:retry:9", "job:x:0", JobKind.DEAD_LETTER_RETRY, 9),
    ("job:{队列} 🚀\n:1", "{队列} 🚀\n", JobKind.RETRY, 1),
    ("job:x:retry:0", "x", JobKind.DEAD_LETTER_RETRY, 0),
]

BAD = [
    "",
    "task_abc",
    "job:",
    "job::0",
    "job: :0",
    "job:task_abc",
    "job:task_abc:",
    "job:task_abc:x",
    "job:task_abc:-1",
    "job:task_abc:+1",
    "job:task_abc:007",
    "job:task_abc:1 ",
    "job:task_abc:1\n",
    "job:task_abc:٣",
    "job:task_abc:retry:",
    "job:a:retry:retry:5",
    "JOB:task_abc:0",
    " job:task_abc:0",
    "job:\ud800:0",
]


@pytest.mark.parametrize(("text", "job", "kind", "number"), TABLE)
def test_id_is_taken_apart_and_put_together(text: str, job: str, kind: JobKind, number: int) -> None:
    """The three forms, with odd characters in the job's own ID."""
    parsed = job_id.parse(text)
    assert (parsed.job, parsed.kind, parsed.number) == (job, kind, number)
    assert str(parsed) == text


@pytest.mark.parametrize(("text", "job", "kind", "number"), TABLE)
def test_id_is_built(text: str, job: str, kind: JobKind, number: int) -> None:
    """The builders give the guide's forms."""
    built = (
        job_id.build_dead_letter_retry(job, number)
        if kind is JobKind.DEAD_LETTER_RETRY
        else job_id.build(job, number)
    )
    assert built == text


@pytest.mark.parametrize("text", BAD)
def test_bad_id_is_refused(text: str) -> None:
    """Anything else is the caller's mistake."""
    with pytest.raises(InvalidArgumentError):
        job_id.parse(text)


@pytest.mark.parametrize("job", ["", "  ", "a:retry", ":retry", "\udcff"])
def test_job_that_would_not_come_back_is_refused(job: str) -> None:
    """A job whose IDs could be read as something else gets none."""
    with pytest.raises(InvalidArgumentError):
        job_id.build(job)
    with pytest.raises(InvalidArgumentError):
        job_id.build_dead_letter_retry(job, 1)


def test_negative_number_is_refused() -> None:
    """Tries are counted from 0."""
    with pytest.raises(InvalidArgumentError):
        job_id.build("a", -1)


@given(
    job=st.text(st.sampled_from("a0: retry:jobé"), min_size=1),
    number=st.integers(0, 10**12),
    dead=st.booleans(),
)
def test_what_is_built_is_read_back(job: str, number: int, dead: bool) -> None:
    """Whatever the builders accept comes back whole."""
    try:
        text = job_id.build_dead_letter_retry(job, number) if dead else job_id.build(job, number)
    except InvalidArgumentError:
        return
    parsed = job_id.parse(text)
    assert (parsed.job, parsed.number, parsed.kind is JobKind.DEAD_LETTER_RETRY) == (job, number, dead)
