"""The process itself: ended in the middle, and over a long time."""

import http.client
import signal
import threading
from pathlib import Path

from tests.conftest import RedisServer, wait_until
from tests.faults.conftest import fill
from tests.faults.exporter import Exporter, exporting
from tests.faults.proxy import Proxy


def test_ended_in_the_middle_of_a_scrape(own_redis: RedisServer, tmp_path: Path) -> None:
    """SIGTERM while a scrape waits for Redis: it is still answered, and the process ends with code 0."""
    fill(own_redis)
    proxy = Proxy(own_redis.port)
    with exporting(tmp_path, f"redis://127.0.0.1:{proxy.port}/0", may_end=True) as exporter:
        exporter.recovers()
        proxy.weather.stalled = True
        answers: list[int] = []
        scraper = threading.Thread(target=lambda: answers.append(exporter.get("/metrics", _IN_TIME)[0]))
        scraper.start()
        wait_until(lambda: len(exporter.process.net_connections()) > 2, what="the scrape is under way")

        exporter.process.send_signal(signal.SIGTERM)
        scraper.join()

        assert answers == [http.client.OK]
        assert exporter.process.wait(20) == 0
        proxy.close()


_IN_TIME = {"X-Prometheus-Scrape-Timeout-Seconds": "2"}


def test_nothing_grows(exporter: Exporter, proxy: Proxy) -> None:
    """Scrapes through cuts and stalls leave no descriptor and no memory behind."""
    for _ in range(30):
        exporter.scrape()
    descriptors, memory = exporter.process.num_fds(), exporter.process.memory_info().rss
    for turn in range(300):
        if turn % 10 == 0:
            proxy.cut()
        exporter.scrape()

    exporter.recovers()
    assert exporter.process.num_fds() <= descriptors + 2
    assert exporter.process.memory_info().rss < memory + 8 * 2**20
