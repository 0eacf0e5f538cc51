"""Says in the log what changed between two scans: once, not at every scrape."""

import logging
from collections.abc import Mapping

from asynq_exporter.core.catalog import BackpressureState
from asynq_exporter.scan.queues import label
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.web import memory

logger = logging.getLogger(__name__)

#: Queues named in the log of one scan; a thousand bad ones need no thousand lines.
MAX_NAMED = 10


class Reporter:
    """Remembers what was said."""

    def __init__(self, *, target: str = "") -> None:
        #: Which of several Redis every line is about.
        self._of = {"target": target} if target else {}
        self._up: bool | None = None
        self._error = ""
        self._queue_errors: Mapping[str, str] = {}
        self._part_errors: dict[str, str] = {}
        self._backpressure = BackpressureState.NORMAL
        self._cut = 0

    def report(self, snapshot: Snapshot) -> None:
        """Logs what is new in a snapshot."""
        self._report_redis(snapshot)
        if snapshot.up:
            self._report_queues(snapshot)
            self._report_parts(snapshot)
            self._report_backpressure(snapshot)

    def _report_redis(self, snapshot: Snapshot) -> None:
        if snapshot.up and self._up is not True:
            self._say(logging.INFO, "Redis answers", queues=len(snapshot.queues.names))
        elif not snapshot.up and self._error != snapshot.error:
            sentence = "Redis does not answer; check that it runs and --redis.url points to it"
            if snapshot.error == memory.SENTENCE:
                sentence = "Redis holds more than can be read"
            self._say(logging.ERROR, sentence, error=snapshot.error)
        self._up, self._error = snapshot.up, snapshot.error

    def _report_queues(self, snapshot: Snapshot) -> None:
        news = [q for q in snapshot.queue_errors if q not in self._queue_errors]
        for queue in news[:MAX_NAMED]:
            self._say(
                logging.WARNING,
                "Queue cannot be read in full; look at the key with TYPE and repair or delete it",
                queue=label(queue),
                error=snapshot.queue_errors[queue],
            )
        if len(news) > MAX_NAMED:
            self._say(logging.WARNING, "More queues cannot be read in full", queues=len(news) - MAX_NAMED)
        self._queue_errors = snapshot.queue_errors
        cut = snapshot.selection.cut
        if cut and not self._cut:
            self._say(
                logging.WARNING,
                "Queues left out; raise --queues.max, narrow --queues.include, or look for very long names",
                cut=cut,
            )
        self._cut = cut

    def _report_parts(self, snapshot: Snapshot) -> None:
        errors = {name: part.error for name, part in snapshot.parts.items() if part.error}
        for name in errors.keys() - self._part_errors.keys() - {"queues"}:
            self._say(logging.WARNING, "Part of the scan failed", collector=name, error=errors[name])
        self._part_errors = errors

    def _report_backpressure(self, snapshot: Snapshot) -> None:
        before, now = self._backpressure, snapshot.backpressure
        if now is not before:
            # The keyword is the guide's (appendix A).
            self._say(logging.WARNING, f"[Backpressure] {before} -> {now}")
        self._backpressure = now

    def _say(self, level: int, sentence: str, **fields: object) -> None:
        logger.log(level, sentence, extra=fields | self._of)
