"""Refunds made by the service of a company: a signed message, and what its receiver checks.

    POST {url}
    Content-Type: application/json
    Idempotency-Key: refund:task_xxx
    Asynq-Signature: t=1700000000,v1=<hex of HMAC-SHA256(secret, "1700000000." + body)>

    {"event": "task.refund", "id": "refund:task_xxx", "task_id": "task_xxx", "user_id": 100,
     "credits": 100000, "reason": "用户申请取消", "failed_at": 1700000000.0}

The receiver verifies the signature over the bytes as they came (`verify`), refunds once for each `id`,
and answers 2xx when the refund is certain, again for one it has made before. The same message may come
more than once: a process can be killed between the answer and noting it. 408, 425, 429 and 5xx are tried
again; other answers are refusals.
"""

import asyncio
import hashlib
import hmac
import http.client
import json
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.policies.retry import RetryPolicy
from asynq_exporter.core.records.errors import WebhookRefusedError, WebhookUnavailableError
from asynq_exporter.core.records.models import Settlement

logger = logging.getLogger(__name__)

EVENT = "task.refund"
SIGNATURE_HEADER = "Asynq-Signature"
KEY_HEADER = "Idempotency-Key"

#: A message that is older, or as much from the future, is refused: it may be recorded and sent again.
TOLERANCE_SECONDS = 300

#: A shorter secret can be guessed.
MIN_SECRET_BYTES = 16

TIMEOUT_SECONDS = 10.0

#: Tries of one call; what is left then is for the next recovery.
RETRY = RetryPolicy(initial_seconds=0.5, max_seconds=8.0, max_retries=4)

#: Answers after which the same message may be taken.
_PASSING = frozenset({408, 425, 429})

#: Sends a body with headers, and returns the status of the answer; raises OSError when there is none.
Send = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]


class WebhookRefunds:
    """A `Refunds` that has them made by a receiver."""

    def __init__(
        self,
        url: str,
        secret: bytes,
        clock: Clock | None = None,
        *,
        send: Send | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Takes the address of the receiver and the secret shared with it.

        Raises:
            InvalidArgumentError: the address is not of http or https, or the secret is too short.
        """
        _split(url)
        if len(secret) < MIN_SECRET_BYTES:
            raise InvalidArgumentError(f"the secret of a webhook has {MIN_SECRET_BYTES} bytes or more")
        self._url = url
        self._secret = secret
        self._clock: Clock = clock or SystemClock()
        self._send = send or post
        self._sleep = sleep

    async def give_back(self, settlement: Settlement) -> None:
        """Sends the message until it is taken.

        Raises:
            WebhookUnavailableError: not for now, after some tries.
            WebhookRefusedError: the receiver refuses the message.
        """
        body = message(settlement)
        for tries in range(RETRY.max_retries + 1):
            if tries:
                await self._sleep(RETRY.delay_seconds(tries - 1))
            why = await self._try(settlement.key, body)
            if why is None:
                return
            logger.warning("A refund message was not taken", extra={"key": settlement.key, "error": why})
        raise WebhookUnavailableError(f"the receiver of refunds does not answer: {why}")

    async def _try(self, key: str, body: bytes) -> str | None:
        """None when the message was taken, else why it may be tried again."""
        # Signed anew each time: the first signature may be too old by now.
        signature = sign(self._secret, body, at_seconds=self._clock.now_ns() // NANOSECONDS)
        headers = {"Content-Type": "application/json", KEY_HEADER: key, SIGNATURE_HEADER: signature}
        try:
            status = await self._send(self._url, headers, body)
        except (OSError, http.client.HTTPException) as exc:
            return repr(exc)
        if 200 <= status < 300:
            return None
        if status >= 500 or status in _PASSING:
            return f"status {status}"
        raise WebhookRefusedError(f"the receiver of refunds refuses {key}: status {status}")


def message(settlement: Settlement) -> bytes:
    """The body for a settlement, the same each time."""
    fields = {
        "event": EVENT,
        "id": settlement.key,
        "task_id": settlement.task_id,
        "user_id": settlement.user_id,
        "credits": settlement.credits,
        "reason": settlement.reason,
        "failed_at": settlement.opened_at,
    }
    return json.dumps(fields, ensure_ascii=False).encode()


def sign(secret: bytes, body: bytes, *, at_seconds: int) -> str:
    """The value of the signature header for a body sent at a Unix second."""
    return f"t={at_seconds},v1={_digest(secret, str(at_seconds), body)}"


def verify(secrets: Sequence[bytes], body: bytes, signature: str, *, now_seconds: float) -> bool:
    """Whether a body came from who has one of some secrets, within five minutes; for the receiver.

    Several secrets are for the time in which one replaces another.
    """
    parts = dict(part.partition("=")[::2] for part in signature.split(","))
    moment, digest = parts.get("t", ""), parts.get("v1", "")
    if not (moment.isascii() and moment.isdigit() and len(moment) <= 12):
        return False
    if abs(now_seconds - int(moment)) > TOLERANCE_SECONDS:
        return False
    given = digest.encode()
    # All are compared, so that the time does not tell which of them it was.
    matches = [hmac.compare_digest(_digest(secret, moment, body).encode(), given) for secret in secrets]
    return any(matches)


async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """Posts a body and returns the status; no redirects, no proxies, certificates checked."""
    return await asyncio.to_thread(_post, _split(url), headers, body)


def _digest(secret: bytes, moment: str, body: bytes) -> str:
    return hmac.new(secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        # Not shown: it may hold a password.
        raise InvalidArgumentError("the address of a webhook begins with http:// or https:// and a host")
    return parts


def _post(url: SplitResult, headers: Mapping[str, str], body: bytes) -> int:
    host = url.hostname or ""
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, url.port, timeout=TIMEOUT_SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(host, url.port, timeout=TIMEOUT_SECONDS)
    try:
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request("POST", path, body=body, headers=dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()
