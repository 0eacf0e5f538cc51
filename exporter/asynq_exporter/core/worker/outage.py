"""Says in the log that Redis is away, and that it is back, without drowning it."""

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

#: One line in this time, however many parts of a server fail how often.
QUIET_SECONDS = 3.0


class Outage:
    """What all parts of a server tell of their errors with Redis."""

    def __init__(
        self, *, quiet_seconds: float = QUIET_SECONDS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._quiet_seconds = quiet_seconds
        self._monotonic = monotonic
        self._said_at = float("-inf")
        self._unsaid = 0
        self._is_away = False

    def failed(self, part: str, error: BaseException) -> None:
        """Tells that a part could not do its work now and will try again."""
        self._is_away = True
        now = self._monotonic()
        if now - self._said_at < self._quiet_seconds:
            self._unsaid += 1
            return
        logger.warning(
            "[Asynq] Redis error, trying again",
            extra={"part": part, "error": str(error), "unsaid": self._unsaid},
        )
        self._said_at, self._unsaid = now, 0

    def answered(self) -> None:
        """Tells that Redis did what was asked."""
        if self._is_away:
            self._is_away = False
            logger.info("[Asynq] Redis answers again")
