"""On a good day the demo shows every metric, moves, and is healthy."""

import pytest

from asynq_exporter.core.catalog import documented
from asynq_exporter.metrics import METRICS, api, records
from tests.demo.conftest import Demos, StartDemo
from tests.demo.running import Demo
from tests.interop.exposition import Scrape

QUEUES = set(documented().queues)


@pytest.fixture
def demo(demos: Demos) -> Demo:
    """The demo of a good day."""
    return demos["normal"].wait_ready()


def test_every_metric_has_a_sample(demo: Demo) -> None:
    """No family of ours stays empty, so that no dashboard does."""
    # The demo has neither a management API nor task records.
    wanted = {metric.name for metric in METRICS if metric not in (*api.METRICS, *records.METRICS)}

    def is_complete(page: Scrape) -> bool:
        return wanted <= {name.removesuffix("_bucket") for name, _ in page.samples}

    demo.wait_for(is_complete, what="all metrics have samples")


def test_system_is_healthy(demo: Demo) -> None:
    """Three workers of ten slots, one scheduler, normal backpressure, no part of the scan failed."""
    demo.wait_for(is_healthy, what="the system is healthy")


def is_healthy(page: Scrape) -> bool:
    """Whether the company is as it is to be; under load a heartbeat may be late for a moment."""
    wanted = {
        "asynq_up": 1,
        "asynq_system_health": 1,
        "asynq_active_workers": 3,
        "asynq_worker_concurrency": 30,
        "asynq_schedulers": 1,
        "asynq_scheduler_overdue_entries": 0,
    }
    return (
        {name: page.get(name) for name in wanted} == wanted
        and page.get("asynq_backpressure_state", state="NORMAL") == 1
        and set(page.by_label("asynq_exporter_collector_success", "collector").values()) == {1}
        and bool(page.by_label("asynq_circuit_breaker_state", "name"))
    )


def test_first_page_shows_workers_and_scheduler(start_demo: StartDemo) -> None:
    """Whoever comes at once sees a healthy company, for nothing is served before it is there."""
    page = start_demo().wait_serving().scrape()

    assert page.value("asynq_system_health") == 1
    assert page.value("asynq_active_workers") == 3
    assert page.value("asynq_schedulers") == 1


def test_queues_are_within_their_levels(demo: Demo) -> None:
    """Of the levels of the catalogue only the first of dead letters, above none at all, is reached."""
    demo.wait_for(is_within_levels, what="all queues are within their levels")


def is_within_levels(page: Scrape) -> bool:
    """Whether the queues are as they are to be; under load tasks may pile up for a moment."""
    pending, retry, dead_lately = (
        page.by_label(f"asynq_{name}", "queue")
        for name in ("pending_tasks", "retry_tasks", "dead_tasks_last_hour")
    )
    ladders = {name: queue.thresholds.get("pending") for name, queue in documented().queues.items()}
    return (
        set(pending) == QUEUES
        and all(ladder is None or pending[name] <= ladder["info"] for name, ladder in ladders.items())
        and max(retry.values()) <= 50
        and max(dead_lately.values()) <= 10
        and 0 < (page.get("asynq_dead_tasks", queue="dead_letter") or 0) <= 20
    )


def test_page_is_interesting_at_once(demo: Demo) -> None:
    """There is a past: thousands of attempts, old dead letters, tasks in every state, one orphan of each."""
    page = demo.scrape()

    assert all(count > 500 for count in page.by_label("asynq_processed_total", "queue").values())
    assert page.value("asynq_oldest_dead_task_seconds", queue="dead_letter") > 86_400
    for state in ("scheduled", "completed", "dead"):
        assert sum(page.by_label(f"asynq_{state}_tasks", "queue").values()) > 0, state
    demo.wait_for(
        lambda page: sum(page.by_label("asynq_retry_tasks", "queue").values()) > 0,
        what="tasks wait for a retry",
    )
    demo.wait_for(
        lambda page: (page.get("asynq_aggregating_tasks", queue="low") or 0) > 0, what="groups were counted"
    )


def test_workload_moves(demo: Demo) -> None:
    """Tasks are processed in every queue but perhaps a paused one, and slots are in use."""
    before = demo.scrape().by_label("asynq_processed_total", "queue")

    def moved(page: Scrape) -> bool:
        now = page.by_label("asynq_processed_total", "queue")
        return all(now[name] > before[name] for name in QUEUES - {"low"})

    demo.wait_for(moved, what="every queue processes tasks")
    demo.wait_for(lambda page: page.value("asynq_busy_workers") > 0, what="slots are in use")
    demo.wait_for(
        lambda page: (page.get("asynq_oldest_active_task_seconds", queue="high") or 0) > 0,
        what="a heartbeat tells of a task",
    )


def test_failures_keep_the_objective(demo: Demo) -> None:
    """Less than one percent of the attempts fails, or the error budget would burn."""
    page = demo.scrape()

    for name in QUEUES:
        failed = page.value("asynq_failed_total", queue=name)
        assert failed / page.value("asynq_processed_total", queue=name) < 0.01


def test_other_pages_are_served(demo: Demo) -> None:
    """The status page names the queues and the demo's Redis; upstream's metrics are there."""
    status = demo.page("/")

    assert all(name in status for name in QUEUES)
    assert str(demo.socket()) in status
    assert "asynq_tasks_enqueued_total{" in demo.page("/metrics/upstream")


def test_banner_tells_where_to_look(demo: Demo) -> None:
    """The URLs, the Redis and the target for a Prometheus are on standard output."""
    text = demo.out.read_text()

    for part in (f"{demo.url}/metrics", f"{demo.url}/metrics/upstream", "redis-cli -s", "Ctrl-C", "job_name"):
        assert part in text
    assert str(demo.socket()) in text
    assert f'["{demo.url.removeprefix("http://")}"]' in text


def test_log_is_the_exporters(demo: Demo) -> None:
    """What the company's workers say does not drown it; two of them died before it was ready."""
    log = demo.err.read_text()

    assert "Redis answers" in log
    assert "core.worker" not in log
    assert "Task enqueued" not in log
