"""Answers kept for requests that carry an `Idempotency-Key`: the same request again gets the same answer.

They are kept in Redis, beside what they changed, and not in memory: who repeats a request has often lost
the answer because this process was restarted, or talks to another replica now. A key belongs to the token
that used it. At most 1,000 answers are kept, for a day each.

A request under way is noted first. One whose process is killed stays noted for ten minutes, in which the
key answers 409; afterwards the request may be made again.
"""

import hashlib
import json
import re
import zlib
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from asynq_exporter.core import keys
from asynq_exporter.core.broker.base import asynq_errors
from asynq_exporter.core.clock import Clock
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.web.api.errors import ApiError

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"

MAX_ANSWERS = 1_000
ANSWER_SECONDS = 24 * 3600
UNDER_WAY_SECONDS = 600

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer as it was given."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A request that this process carries out, and the place for its answer."""

    key: str
    fingerprint: str


class Answers:
    """Keeps answers."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        """Takes the Redis in which the API writes."""
        self._redis = redis
        self._clock = clock

    async def begin(self, *, owner: str, given: str, request: bytes) -> Kept | Claim:
        """The answer to a request that was made before, or leave to make it.

        Args:
            owner: name of the token.
            given: the header.
            request: all that makes it the same request.

        Raises:
            ApiError: the key is none, was used for another request, or its request is under way.
            UnavailableError: Redis does not answer.
        """
        if not _KEY.fullmatch(given):
            message = f"{HEADER} has 1 to 255 visible ASCII characters"
            raise ApiError(422, "invalid_idempotency_key", message)
        key = keys.api_answer(hashlib.sha256(f"{owner}\0{given}".encode()).hexdigest())
        claim = Claim(key=key, fingerprint=hashlib.sha256(request).hexdigest())
        mark = _pack({"fingerprint": claim.fingerprint})
        with asynq_errors():
            if await self._redis.set(key, mark, nx=True, ex=UNDER_WAY_SECONDS):
                return claim
            found = await self._redis.get(key)
        return self._kept(claim, found)

    async def keep(self, claim: Claim, answer: Kept) -> None:
        """Keeps the answer of a request; raises UnavailableError."""
        entry = {"fingerprint": claim.fingerprint, "status": answer.status, "body": answer.body}
        now = self._clock.now_ns() // NANOSECONDS
        with asynq_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.set(claim.key, _pack(entry), ex=ANSWER_SECONDS)
            pipe.zadd(keys.API_ANSWERS, {claim.key: now})
            pipe.expire(keys.API_ANSWERS, ANSWER_SECONDS)
            pipe.zremrangebyscore(keys.API_ANSWERS, "-inf", now - ANSWER_SECONDS)
            pipe.zrange(keys.API_ANSWERS, 0, -(MAX_ANSWERS + 1))
            *_, surplus = await pipe.execute()
            if surplus:
                pipe = self._redis.pipeline(transaction=False)
                for key in surplus:
                    pipe.delete(key)
                pipe.zrem(keys.API_ANSWERS, *surplus)
                await pipe.execute()

    async def give_up(self, claim: Claim) -> None:
        """Forgets a request that failed for now, so that it can be made again; raises UnavailableError."""
        with asynq_errors():
            await self._redis.delete(claim.key)

    @staticmethod
    def _kept(claim: Claim, found: Any) -> Kept:
        entry: dict[str, Any] = (
            json.loads(zlib.decompress(found)) if found else {"fingerprint": claim.fingerprint}
        )
        if entry["fingerprint"] != claim.fingerprint:
            message = f"this {HEADER} was used for another request; take a new one"
            raise ApiError(409, "idempotency_key_reused", message)
        if "status" not in entry:
            message = f"the request with this {HEADER} is still under way"
            raise ApiError(409, "idempotency_under_way", message, headers={"Retry-After": "1"})
        return Kept(status=entry["status"], body=entry["body"])


def _pack(entry: Any) -> bytes:
    # The answer to a batch is long, and much the same all over.
    return zlib.compress(json.dumps(entry).encode())
