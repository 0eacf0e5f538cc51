"""The network between the exporter and Redis."""

from tests.faults.exporter import TIMEOUT_SECONDS, Exporter
from tests.faults.proxy import Proxy


def test_connection_cut_between_scrapes(exporter: Exporter, proxy: Proxy) -> None:
    """The next scrape connects anew and is whole: nobody notices."""
    proxy.cut()

    page = exporter.scrape()

    assert page.up
    assert "queue-39" in page.labels("asynq_pending_tasks", "queue")


def test_connection_cut_in_the_middle_of_a_scan(exporter: Exporter, proxy: Proxy) -> None:
    """A cut within the replies costs that try; a second one within the same scrape makes it whole."""
    for after in (0, 1, 100, 3000):
        proxy.weather.cut_after = after

        page = exporter.scrape()

        assert page.up, after
        assert "queue-39" in page.labels("asynq_pending_tasks", "queue")
        assert proxy.weather.cut_after is None


def test_every_connection_cut(exporter: Exporter, proxy: Proxy) -> None:
    """Where each try is cut Redis counts as away, without a stale number; then it is back."""
    proxy.weather.refused = True
    proxy.cut()

    page = exporter.scrape()

    assert not page.up
    assert page.labels("asynq_pending_tasks", "queue") == set()
    proxy.weather.refused = False
    assert "queue-39" in exporter.recovers().labels("asynq_pending_tasks", "queue")


def test_delay(exporter: Exporter, proxy: Proxy) -> None:
    """A far Redis is kept busy: the scrape takes a few round trips, not one for each queue."""
    proxy.weather.delay_seconds = 0.05

    page = exporter.scrape(timeout_seconds=10)

    assert page.up
    assert "queue-39" in page.labels("asynq_pending_tasks", "queue")
    assert page.seconds < 40 * 2 * proxy.weather.delay_seconds
    ping = page.value("asynq_redis_ping_seconds")
    assert ping is not None
    assert ping >= 2 * proxy.weather.delay_seconds


def test_loss(exporter: Exporter, proxy: Proxy) -> None:
    """Lost packets make a scrape slow; it ends in time, whole or with what was read."""
    proxy.weather.loss = 0.3

    for _ in range(3):
        page = exporter.scrape()
        assert page.up

    proxy.weather.loss = 0.0
    exporter.recovers()


def test_stall(exporter: Exporter, proxy: Proxy) -> None:
    """Nothing gets through any more: answered within the scrape's time, without a stale number."""
    proxy.weather.stalled = True

    page = exporter.scrape()

    assert not page.up
    assert page.seconds >= TIMEOUT_SECONDS / 2
    assert page.labels("asynq_pending_tasks", "queue") == set()
    proxy.weather.stalled = False
    exporter.recovers()


def test_drip(exporter: Exporter, proxy: Proxy) -> None:
    """Replies in pieces of seven bytes are put together."""
    proxy.weather.chunk = 7
    proxy.cut()

    page = exporter.scrape(timeout_seconds=20)

    assert page.up
    assert "queue-39" in page.labels("asynq_pending_tasks", "queue")
