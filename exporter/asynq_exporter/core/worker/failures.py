"""What a failure means, as the user of the server says: when the task is tried again, and if it counts."""

import logging
from random import Random

from asynq_exporter.core.clock import Clock
from asynq_exporter.core.messages import NANOSECONDS, TaskMessage
from asynq_exporter.core.policies.retry import ASYNQ_JITTER, asynq_delay_seconds
from asynq_exporter.core.worker.attempt import task_of
from asynq_exporter.core.worker.config import ServerConfig

logger = logging.getLogger(__name__)


class Failures:
    """Asks the functions of a configuration, and goes on without an answer when they fail."""

    def __init__(self, config: ServerConfig, clock: Clock) -> None:
        self._retry_delay = config.retry_delay
        self._is_failure = config.is_failure
        self._clock = clock

    def now(self) -> float:
        """Unix seconds."""
        return self._clock.now_ns() / NANOSECONDS

    def retry_at(self, message: TaskMessage, error: Exception) -> float:
        """The Unix second of the next attempt."""
        try:
            delay_seconds = self._retry_delay(message.retried, error, task_of(message))
        except Exception:
            # The task must wait for some time, or it is lost until the recoverer comes.
            logger.exception("[Asynq] The retry delay failed", extra={"task_id": message.id})
            jitter = Random().randrange(ASYNQ_JITTER)  # noqa: S311 - nothing to guess
            delay_seconds = asynq_delay_seconds(message.retried, jitter=jitter)
        return self.now() + delay_seconds

    def is_failure(self, error: Exception) -> bool:
        """Whether an error uses up a retry."""
        try:
            return self._is_failure(error)
        except Exception:
            logger.exception("[Asynq] The predicate of failure failed")
            return True
