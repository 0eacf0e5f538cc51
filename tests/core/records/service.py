"""A service outside that is asked about tasks."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from asynq_exporter.core.records import TaskRecord


@dataclass
class Service:
    """A service outside that is asked how a task stands; answers as told, the last one for ever."""

    answers: list[str | Exception] = field(default_factory=lambda: ["IN_PROGRESS"])
    asked: Counter[str] = field(default_factory=Counter)
    at_once: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    #: Awaited while a poll is under way.
    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def __call__(self, record: TaskRecord) -> str:
        """How it stands."""
        task_id = record.task_id
        self.asked[task_id] += 1
        self.at_once[task_id] += 1
        self.most_at_once = max(self.most_at_once, self.at_once[task_id])
        try:
            await asyncio.sleep(0)
            if self.meanwhile:
                await self.meanwhile()
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        finally:
            self.at_once[task_id] -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer


async def usable() -> bool:
    """The queue is in charge."""
    return True
