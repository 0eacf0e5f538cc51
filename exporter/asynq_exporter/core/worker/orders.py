"""Hears what is asked of all workers of this Redis."""

import asyncio
import logging

from asynq_exporter.core.control import Control, WorkerControl
from asynq_exporter.core.errors import AsynqError, UnavailableError

logger = logging.getLogger(__name__)


class Orders:
    """Reads the orders; says once in the log that they cannot be followed."""

    def __init__(self, control: WorkerControl, *, timeout_seconds: float) -> None:
        self._control = control
        self._timeout_seconds = timeout_seconds
        self._refused = ""

    async def read(self) -> Control:
        """What is asked now; nothing, where it cannot be done. Raises UnavailableError."""
        asked, refused = Control(), ""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                asked = await self._control.read()
        except TimeoutError as exc:
            raise UnavailableError("no answer to what is asked of the workers") from exc
        except UnavailableError:
            raise
        except AsynqError as exc:
            # Written by hand, or not to be read by this user: no reason to stand still.
            refused = str(exc)
        if refused and refused != self._refused:
            logger.warning("[Asynq] What is asked of all workers is left aside", extra={"error": refused})
        self._refused = refused
        return asked
