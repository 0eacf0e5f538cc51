"""Which jobs a task has had: a counter, so that their IDs can be told without looking into Redis."""

from collections.abc import Sequence

from sqlalchemy import func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from asynq_exporter.core.records.errors import LeaseLostError
from asynq_exporter.core.records.models import TaskRecord
from asynq_exporter.core.records.sql.base import Condition, Queries, batches, record_of, unfinished
from asynq_exporter.core.records.tables import dead_letter_retries, fences, task_records


class Attempts(Queries):
    """The jobs of tasks, by number."""

    async def next_attempt(self, task_id: str) -> int | None:
        """Counts a job of a task if it is not finished, before the job is put into a queue; None if not."""
        count = (
            update(task_records)
            .where(unfinished(task_id))
            .values(attempt=task_records.c.attempt + 1)
            .returning(task_records.c.attempt)
        )
        async with self._database.write() as connection:
            number: int | None = (await connection.execute(count)).scalar()
        return number

    async def add_dead_letter_retry(self, task_id: str, at_seconds: int) -> bool:
        """Notes a retry out of the dead letters, before its job is enqueued, if the task is not finished."""
        # The row is taken, so that a cancellation comes before or after and sees the note in the second case.
        is_open = select(task_records.c.task_id).where(unfinished(task_id)).with_for_update()
        note = self._database.insert(dead_letter_retries).values(task_id=task_id, at_seconds=at_seconds)
        async with self._database.write() as connection:
            if (await connection.execute(is_open)).first() is None:
                return False
            await connection.execute(note.on_conflict_do_nothing())
        return True

    async def dead_letter_retries(self, task_ids: Sequence[str]) -> list[tuple[str, int]]:
        """Retries out of the dead letters: task ID and Unix second."""
        found: list[tuple[str, int]] = []
        async with self._database.read() as connection:
            for ids in batches(task_ids):
                query = select(dead_letter_retries).where(dead_letter_retries.c.task_id.in_(ids))
                found += [(row.task_id, row.at_seconds) for row in await connection.execute(query)]
        return found

    async def count_without_job(self) -> int:
        """Unfinished tasks that never had a job in a queue."""
        query = select(func.count()).select_from(task_records).where(_without_job())
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()

    async def without_job(self, *, after: str, limit: int) -> list[TaskRecord]:
        """Those tasks by task ID, beginning behind one."""
        query = (
            select(task_records)
            .where(_without_job(), task_records.c.task_id > after)
            .order_by(task_records.c.task_id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [record_of(row) for row in rows.mappings()]

    async def mark_queued(self, task_ids: Sequence[str], *, name: str, token: int) -> set[str]:
        """Notes that tasks have their first job, under a fencing token; those that are not finished."""
        alive: set[str] = set()
        async with self._database.write() as connection:
            await self._raise_fence(connection, name, token)
            for ids in batches(task_ids):
                among = task_records.c.task_id.in_(ids)
                mark = update(task_records).where(among, _without_job()).values(attempt=0)
                await connection.execute(mark)
                query = select(task_records.c.task_id).where(among, unfinished())
                alive.update((await connection.execute(query)).scalars())
        return alive

    async def fence(self, name: str) -> int:
        """The newest fencing token seen under a name; 0 for none."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(fences.c.token).where(fences.c.name == name))
            return rows.scalar() or 0

    async def _raise_fence(self, connection: AsyncConnection, name: str, token: int) -> None:
        first = self._database.insert(fences).values(name=name, token=token).on_conflict_do_nothing()
        await connection.execute(first)
        pass_ = update(fences).where(fences.c.name == name, fences.c.token <= token).values(token=token)
        if not (await connection.execute(pass_)).rowcount:
            raise LeaseLostError(f"the lock {name!r} is somebody else's meanwhile")


def _without_job() -> Condition:
    # Spelled as in the partial index, or PostgreSQL would not use that.
    return unfinished() & (task_records.c.attempt < literal_column("0"))
