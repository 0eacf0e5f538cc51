"""What the pages find in the application."""

from aiohttp import web

from asynq_exporter.scan.shared import Shared
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.scan.upstream import UpstreamView
from asynq_exporter.settings import Settings
from asynq_exporter.web.exposition import Pages

SETTINGS = web.AppKey("settings", Settings)
#: Where Redis is, for people.
WHERE = web.AppKey("where", str)
SCANS: web.AppKey[Shared[Snapshot]] = web.AppKey("scans", Shared)
VIEWS: web.AppKey[Shared[UpstreamView]] = web.AppKey("views", Shared)
PAGES = web.AppKey("pages", Pages)
