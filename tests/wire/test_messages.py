"""Bytes of the wire document (section 10) and what must hold for every message."""

import hashlib

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from asynq_exporter.core import keys, messages
from asynq_exporter.core.errors import CorruptMessageError, InvalidArgumentError
from asynq_exporter.core.messages import TaskMessage

PAYLOAD = b'{"user_id":42}'
LOCK = "asynq:{critical}:unique:email:send:1181f89307fa271072c095747d5813cc"
UUID = "11111111-2222-3333-4444-555555555555"
SERVER_ID = "6fd5e4a0-0000-4000-8000-000000000001"
T = 1_767_225_600

A = TaskMessage(type="t", id="1", queue="default", retry=25, timeout=1800)
B = TaskMessage(type="email:send", payload=PAYLOAD, id=UUID, queue="default", retry=25, timeout=1800)
C = TaskMessage(
    type="email:send",
    payload=PAYLOAD,
    id="my-id",
    queue="critical",
    retry=3,
    timeout=60,
    deadline=T,
    unique_key=LOCK,
    retention=86400,
)
D = TaskMessage(
    type="email:send",
    payload=PAYLOAD,
    id=UUID,
    queue="default",
    retry=25,
    timeout=1800,
    retried=2,
    error_msg="boom",
    last_failed_at=T,
)
E = TaskMessage(type="t", id="1", queue="default", retry=25, timeout=1800, retention=3600, completed_at=T)
F = TaskMessage(
    type="t",
    payload=b"x",
    id="1",
    queue="default",
    retry=25,
    timeout=1800,
    group_key="g1",
    headers={"trace": "abc"},
)
G = TaskMessage(type="t", id="1", queue="default", headers={"k": ""})
H = TaskMessage(type="t", id="1", queue="default", timeout=1800)

TASKS = {
    "A": (A, "62e090fae516cb766e41fef40fb55f858dbfef05", "0a01741a0131220764656661756c74281940880e"),
    "B": (
        B,
        "0f75ffd71fc8794361d10f8c5ad7c41c36229e2d",
        (
            "0a0a656d61696c3a73656e64120e7b22757365725f6964223a34327d1a2431313131313131312d323232322d333333332d"
            "343434342d353535353535353535353535220764656661756c74281940880e"
        ),
    ),
    "C": (
        C,
        "d95687c21ee503f36f15367f2f65f8e345708d7e",
        (
            "0a0a656d61696c3a73656e64120e7b22757365725f6964223a34327d1a056d792d69642208637269746963616c2803403c"
            "4880f2d6ca0652436173796e713a7b637269746963616c7d3a756e697175653a656d61696c3a73656e643a313138316638"
            "39333037666132373130373263303935373437643538313363636080a305"
        ),
    ),
    "D": (
        D,
        "90d361019cf796ce7f45204f76924d86d75e8b87",
        (
            "0a0a656d61696c3a73656e64120e7b22757365725f6964223a34327d1a2431313131313131312d323232322d333333332d"
            "343434342d353535353535353535353535220764656661756c74281930023a04626f6f6d40880e5880f2d6ca06"
        ),
    ),
    "E": (
        E,
        "98a816bddfc59f6aa8e141d44f532c072d053aa7",
        "0a01741a0131220764656661756c74281940880e60901c6880f2d6ca06",
    ),
    "F": (
        F,
        "1afb3376d0548513cb8d27ca5985e02aff2299d0",
        "0a01741201781a0131220764656661756c74281940880e720267317a0c0a0574726163651203616263",
    ),
    "G": (
        G,
        "8354711ff616780ac94f8e3ec476996893c5cce7",
        "0a01741a0131220764656661756c747a050a016b1200",
    ),
    "H": (H, "313460622440203cf44ee475c1a6de3ca2575d0d", "0a01741a0131220764656661756c7440880e"),
}

OTHERS = {
    "ServerInfo": (
        messages.ServerInfo(
            host="web-1",
            pid=4242,
            server_id=SERVER_ID,
            concurrency=10,
            queues={"default": 1},
            status="active",
            start_time=messages.timestamp(T * 10**9 + 500_000_000),
            active_worker_count=1,
        ),
        (
            "0a057765622d311092211a2436666435653461302d303030302d343030302d383030302d30303030303030303030303120"
            "0a2a0b0a0764656661756c7410013a06616374697665420c0880f2d6ca061080cab5ee014801"
        ),
    ),
    "WorkerInfo": (
        messages.WorkerInfo(
            host="web-1",
            pid=4242,
            server_id=SERVER_ID,
            task_id="my-id",
            task_type="email:send",
            task_payload=PAYLOAD,
            queue="critical",
            start_time=messages.timestamp((T + 1) * 10**9),
            deadline=messages.timestamp((T + 61) * 10**9),
        ),
        (
            "0a057765622d311092211a2436666435653461302d303030302d343030302d383030302d30303030303030303030303122"
            "056d792d69642a0a656d61696c3a73656e64320e7b22757365725f6964223a34327d3a08637269746963616c42060881f2"
            "d6ca064a0608bdf2d6ca06"
        ),
    ),
    "SchedulerEntry": (
        messages.SchedulerEntry(
            id="e-1",
            spec="@every 30s",
            task_type="tick",
            enqueue_options=['Queue("low")', "MaxRetry(3)"],
            next_enqueue_time=messages.timestamp((T + 30) * 10**9),
            prev_enqueue_time=messages.timestamp(None),
        ),
        (
            "0a03652d31120a406576657279203330731a047469636b2a0c517565756528226c6f7722292a0b4d617852657472792833"
            "293206089ef2d6ca063a0b088092b8c398feffffff01"
        ),
    ),
    "SchedulerEnqueueEvent": (
        messages.SchedulerEnqueueEvent(
            task_id="my-id", enqueue_time=messages.timestamp((T + 30) * 10**9 + 123_000_000)
        ),
        "0a056d792d6964120b089ef2d6ca0610c0a9d33a",
    ),
}

DECODERS = {
    "ServerInfo": messages.decode_server,
    "WorkerInfo": messages.decode_worker,
    "SchedulerEntry": messages.decode_scheduler_entry,
    "SchedulerEnqueueEvent": messages.decode_enqueue_event,
    "TaskMessage": messages.decode_task,
}


@pytest.mark.parametrize("name", TASKS)
def test_task_has_the_bytes_of_the_document(name: str) -> None:
    """Wire 10.2: each example encodes to its bytes and comes back, and the transcription is right."""
    message, sha, hex_ = TASKS[name]
    data = bytes.fromhex(hex_)
    assert hashlib.sha1(data).hexdigest() == sha
    assert messages.encode(message) == data
    assert messages.decode_task(data) == message
    assert messages.encode(messages.decode_task(data)) == data


@pytest.mark.parametrize("name", OTHERS)
def test_other_message_has_the_bytes_of_the_document(name: str) -> None:
    """Wire 10.3: servers, workers, scheduler entries and events likewise."""
    message, hex_ = OTHERS[name]
    assert messages.encode(message).hex() == hex_
    assert DECODERS[name](bytes.fromhex(hex_)) == message


@pytest.mark.parametrize(
    ("queue", "task_type", "payload", "key"),
    [
        ("critical", "email:send", PAYLOAD, LOCK),
        ("default", "reindex", None, "asynq:{default}:unique:reindex:"),
        ("default", "reindex", b"", "asynq:{default}:unique:reindex:d41d8cd98f00b204e9800998ecf8427e"),
    ],
)
def test_unique_key_is_that_of_the_document(
    queue: str, task_type: str, payload: bytes | None, key: str
) -> None:
    """Wire 10.4: no payload and an empty one give different locks."""
    assert keys.unique(queue, task_type, payload) == key


def test_empty_value_of_a_header_may_be_left_out() -> None:
    """Wire 10.2 G: an encoder that leaves the empty value out says the same."""
    without = bytes.fromhex("0a01741a0131220764656661756c747a030a016b")
    assert messages.decode_task(without) == G


def test_equal_messages_have_equal_bytes() -> None:
    """Headers are written in the order of their names, however they came."""
    names = [f"header-{i:02}" for i in range(30)]
    one = TaskMessage(headers=dict.fromkeys(names, "x"))
    other = TaskMessage(headers=dict.fromkeys(reversed(names), "x"))
    data = messages.encode(one)
    assert messages.encode(other) == data
    assert [data.index(name.encode()) for name in names] == sorted(data.index(n.encode()) for n in names)


def test_zero_bytes_are_an_empty_task() -> None:
    """Wire 10.2: nothing at all decodes to all defaults."""
    assert messages.decode_task(b"") == TaskMessage()
    assert messages.encode(TaskMessage()) == b""


def test_unknown_fields_survive_a_rewrite() -> None:
    """Wire section 8, rule 5: a field of a later asynq is still there after a retry and a success."""
    later = messages.encode(A) + bytes.fromhex("8a010474657374")  # field 17: "test"
    failed = messages.failed(messages.decode_task(later), "boom", at_seconds=T, counted=True)
    done = messages.completed(failed, at_seconds=T)
    assert bytes.fromhex("8a010474657374") in messages.encode(done)


def test_edits_leave_the_original_alone() -> None:
    """An edit is a copy: a caller may go on with what it handed over."""
    before = messages.encode(A)
    messages.failed(A, "boom", at_seconds=T, counted=True)
    messages.completed(A, at_seconds=T)
    assert messages.encode(A) == before


def test_failed_gives_example_d() -> None:
    """Two counted failures turn example B into D."""
    once = messages.failed(B, "first", at_seconds=T - 60, counted=True)
    assert messages.failed(once, "boom", at_seconds=T, counted=True) == D


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize(
    "data",
    [b"\xff", b"\x0a\x05abc", b'{"Type":"t","ID":"1"}', b"\x0a\x02\xff\xfe"],
    ids=["bad tag", "cut off", "JSON of 0.17", "no UTF-8"],
)
def test_bad_bytes_are_a_corrupt_message(kind: str, data: bytes) -> None:
    """Whatever is no message raises one error, which keeps the bytes."""
    with pytest.raises(CorruptMessageError) as caught:
        DECODERS[kind](data)
    assert caught.value.data == data
    assert caught.value.__cause__ is not None


@given(data=st.binary(max_size=200))
def test_any_bytes_decode_or_are_corrupt(data: bytes) -> None:
    """No bytes make a decoder raise anything else."""
    for decode in DECODERS.values():
        message: Message | None
        try:
            message = decode(data)
        except CorruptMessageError:
            message = None
        if message is not None:
            messages.encode(message)


def test_never_is_none() -> None:
    """Wire 2.4 and trap 16: year 1 is "never", the epoch is a moment."""
    assert messages.timestamp_seconds(messages.timestamp(None)) is None
    assert messages.timestamp_seconds(messages.timestamp(0)) == 0.0
    assert messages.timestamp_seconds(messages.timestamp(T * 10**9 + 500_000_000)) == T + 0.5
    assert messages.timestamp_seconds(messages.timestamp(-1_500_000_000)) == -1.5


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("naïve 队列 🚀", "naïve 队列 🚀"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("file \udcff", "file \ufffd"),
        (b"raw \xff bytes", "raw \ufffd bytes"),
        ("\x00", "\x00"),
    ],
)
def test_error_text_becomes_utf8(text: str | bytes, clean: str) -> None:
    """Trap 26: what Go could not encode is replaced, everything else stays."""
    assert messages.clean_text(text) == clean
    assert messages.failed(A, messages.clean_text(text), at_seconds=T, counted=False).error_msg == clean


@given(text=st.text(st.characters(codec=None)))
def test_any_error_text_can_be_stored(text: str) -> None:
    """Trap 26: no text of Python, lone surrogates included, breaks the message."""
    data = messages.encode(messages.failed(A, text, at_seconds=T, counted=True))
    assert messages.decode_task(data).error_msg == messages.clean_text(text)


@pytest.mark.parametrize(
    "fields",
    [{"queue": "\ud800"}, {"max_retry": 2**31}, {"deadline": 2**63}, {"headers": {"k": "\ud800"}}],
    ids=["surrogate", "int32", "int64", "header"],
)
def test_what_does_not_fit_is_refused(fields: dict[str, object]) -> None:
    """A value that asynq's message cannot hold is the caller's mistake."""
    with pytest.raises(InvalidArgumentError):
        messages.make_task("t", **{"task_id": "1", "queue": "q", **fields})  # type: ignore[arg-type]
