"""Refunds made by a receiver: a real HTTP server that verifies what it gets."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from asynq_exporter.core import FixedClock
from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.records import (
    Settlement,
    WebhookRefunds,
    WebhookRefusedError,
    WebhookUnavailableError,
)
from asynq_exporter.core.records.webhook import KEY_HEADER, SIGNATURE_HEADER, message, sign, verify
from tests.conftest import free_port
from tests.core.queue_state import T

SECRET = b"a secret of more than 16 bytes"

SETTLEMENT = Settlement(
    task_id="task_xxx",
    user_id=100,
    credits=100_000,
    reason="用户申请取消",
    queue="scheduled",
    attempt=0,
    opened_at=float(T),
    refunded_at=None,
    closed_at=None,
)


class Receiver(http.server.ThreadingHTTPServer):
    """Answers as told, and keeps what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.answers = [200]
        self.got: list[tuple[str, str, bytes]] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}/refunds?from=asynq"


class Answer(http.server.BaseHTTPRequestHandler):
    """One request."""

    def do_POST(self) -> None:
        """Takes the message; the last answer is repeated."""
        assert isinstance(self.server, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.headers[KEY_HEADER], self.headers[SIGNATURE_HEADER], body))
        answers = self.server.answers
        self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server of this test."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Waits:
    """Notes how long is waited, and does not wait."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Waits."""
        self.seconds.append(seconds)


def refunds_of(url: str, waits: Waits | None = None) -> WebhookRefunds:
    """Refunds by a receiver at an address."""
    return WebhookRefunds(url, SECRET, FixedClock(seconds=T), sleep=waits or Waits())


async def test_message_is_verified_by_its_receiver(receiver: Receiver) -> None:
    """All it needs stands in the body, and the body is signed."""
    await refunds_of(receiver.url).give_back(SETTLEMENT)
    [(key, signature, body)] = receiver.got
    assert verify([SECRET], body, signature, now_seconds=T)
    assert json.loads(body) == {
        "event": "task.refund",
        "id": "refund:task_xxx",
        "task_id": "task_xxx",
        "user_id": 100,
        "credits": 100_000,
        "reason": "用户申请取消",
        "failed_at": T,
    }
    assert "refund:task_xxx" == key


@pytest.mark.parametrize(
    ("answers", "waits"),
    [([500, 200], 1), ([503, 429, 408, 425, 204], 4), ([502, 502, 201], 2)],
)
async def test_message_is_sent_again_until_it_is_taken(
    receiver: Receiver, answers: list[int], waits: int
) -> None:
    """Under the same key, with longer and longer waits."""
    receiver.answers, noted = answers.copy(), Waits()
    await refunds_of(receiver.url, noted).give_back(SETTLEMENT)
    assert len(answers) == len(receiver.got)
    assert 1 == len({(key, body) for key, _, body in receiver.got})
    assert [0.5, 1, 2, 4][:waits] == noted.seconds


@pytest.mark.parametrize("answer", [301, 307, 400, 401, 404, 409, 422])
async def test_refusal_is_not_repeated(receiver: Receiver, answer: int) -> None:
    """Nor is a redirect followed: it could lead anywhere."""
    receiver.answers = [answer]
    with pytest.raises(WebhookRefusedError, match=str(answer)):
        await refunds_of(receiver.url).give_back(SETTLEMENT)
    assert 1 == len(receiver.got)


async def test_it_gives_up_for_now(receiver: Receiver) -> None:
    """After five tries the settlement waits for the next recovery."""
    receiver.answers = [503]
    with pytest.raises(WebhookUnavailableError):
        await refunds_of(receiver.url).give_back(SETTLEMENT)
    assert 5 == len(receiver.got)
    with pytest.raises(WebhookUnavailableError):
        await refunds_of(f"http://127.0.0.1:{free_port()}/").give_back(SETTLEMENT)


@pytest.mark.parametrize(
    ("secrets", "body", "signature", "now", "is_good"),
    [
        ([SECRET], b"body", sign(SECRET, b"body", at_seconds=T), T, True),
        ([b"the next secret.", SECRET], b"body", sign(SECRET, b"body", at_seconds=T), T + 300, True),
        ([SECRET], b"body", sign(SECRET, b"body", at_seconds=T), T + 301, False),
        ([SECRET], b"body", sign(SECRET, b"body", at_seconds=T), T - 301, False),
        ([SECRET], b"another", sign(SECRET, b"body", at_seconds=T), T, False),
        ([b"another secret.."], b"body", sign(SECRET, b"body", at_seconds=T), T, False),
        ([], b"body", sign(SECRET, b"body", at_seconds=T), T, False),
        ([SECRET], b"body", sign(SECRET, b"body", at_seconds=T).replace(f"t={T}", f"t={T + 1}"), T, False),
        ([SECRET], b"body", "", T, False),
        ([SECRET], b"body", "t=,v1=", T, False),
        ([SECRET], b"body", f"t={T}", T, False),
        ([SECRET], b"body", "t=٣,v1=é", T, False),
        ([SECRET], b"body", "t=" + "9" * 5000 + ",v1=a", T, False),
    ],
)
def test_receiver_tells_good_from_bad(
    secrets: list[bytes], body: bytes, signature: str, now: float, is_good: bool
) -> None:
    """Of the right body, by who has a secret, not long ago."""
    assert is_good is verify(secrets, body, signature, now_seconds=now)


def test_body_is_the_same_each_time() -> None:
    """So that a receiver may compare."""
    assert message(SETTLEMENT) == message(SETTLEMENT)


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("ftp://h/", SECRET),
        ("http:///path", SECRET),
        ("", SECRET),
        ("http://h/", b"short"),
        ("http://[", SECRET),
        ("http://h:x/", SECRET),
    ],
)
def test_what_cannot_work_is_refused(url: str, secret: bytes) -> None:
    """At the start, not at the first refund; and the secret shows nowhere."""
    with pytest.raises(InvalidArgumentError):
        WebhookRefunds(url, secret)


def test_secret_is_not_shown() -> None:
    """Objects end up in logs."""
    assert "secret" not in repr(refunds_of("http://h/"))


async def test_server_without_tls_is_not_spoken_to(receiver: Receiver) -> None:
    """An address of https is never sent anything in the clear."""
    url = receiver.url.replace("http://", "https://")
    with pytest.raises(WebhookUnavailableError, match="SSL"):
        await refunds_of(url).give_back(SETTLEMENT)
    assert [] == receiver.got
