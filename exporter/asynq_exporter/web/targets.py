"""Further Redis by name: a page of metrics for each, and the list that Prometheus discovers them by.

Only what the config file names can be asked for: a free URL would make the exporter a way into the network.
"""

from collections.abc import Sequence

from aiohttp import web

from asynq_exporter import connect
from asynq_exporter.settings.targets import Target
from asynq_exporter.web import metrics
from asynq_exporter.web.exposition import Pages
from asynq_exporter.web.watch import Watch

PROBE_PATH = "/probe"
DISCOVERY_PATH = "/targets"

#: Characters of an unknown name that are sent back.
SHOWN = 80


class Probe:
    """A target under watch, and its pages."""

    def __init__(self, target: Target) -> None:
        self.target = target
        source = connect.make_source(target.settings, target=target.name)
        self.watch = Watch(target.settings, target.catalog, source, target=target.name)
        # The process is the exporter's own page's; here it would come once for each target.
        self.pages = Pages(with_process=False)


PROBES = web.AppKey("probes", dict[str, Probe])


async def probe(request: web.Request) -> web.Response:
    """The metrics of one target; answers 200 in time whatever that Redis does."""
    probes = request.app[PROBES]
    known = f"there are: {', '.join(probes)}" if probes else "the config file has none under targets"
    name = request.query.get("target")
    if not name:
        raise web.HTTPBadRequest(text=f"Which target? Write {PROBE_PATH}?target=NAME; {known}\n")
    if name not in probes:
        raise web.HTTPNotFound(text=f"No target {name[:SHOWN]!r}; {known}\n")
    asked = probes[name]
    timeout_seconds = metrics.deadline(request, asked.watch.settings)
    snapshot = await asked.watch.scans.get(timeout_seconds=timeout_seconds)
    return metrics.respond_snapshot(request, asked.pages, snapshot)


async def discovery(request: web.Request) -> web.Response:
    """The targets in the form of Prometheus' http_sd_configs, at the address that this request came to."""
    return web.json_response(
        [
            {
                "targets": [request.host],
                "labels": {
                    "__metrics_path__": PROBE_PATH,
                    "__param_target": name,
                    # The bundle tells queues of the same name apart by it.
                    "cluster": name,
                    **asked.target.labels,
                },
            }
            for name, asked in request.app[PROBES].items()
        ]
    )


def add(app: web.Application, targets: Sequence[Target]) -> list[Watch]:
    """Adds the targets and their pages; the watches are the caller's to run and close."""
    app[PROBES] = {each.name: Probe(each) for each in targets}
    app.router.add_get(PROBE_PATH, probe)
    app.router.add_get(DISCOVERY_PATH, discovery)
    return [each.watch for each in app[PROBES].values()]
