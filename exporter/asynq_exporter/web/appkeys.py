"""What the pages find in the application."""

from typing import TYPE_CHECKING

from aiohttp import web

from asynq_exporter.scan.shared import Shared
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.scan.upstream import UpstreamView
from asynq_exporter.settings import Settings

if TYPE_CHECKING:
    from asynq_exporter.web.metrics import Pages

SETTINGS = web.AppKey("settings", Settings)
#: Where Redis is, for people.
WHERE = web.AppKey("where", str)
SCANS: web.AppKey[Shared[Snapshot]] = web.AppKey("scans", Shared)
VIEWS: web.AppKey[Shared[UpstreamView]] = web.AppKey("views", Shared)
PAGES: "web.AppKey[Pages]" = web.AppKey("pages")
