"""The page for people at /api/v1/, in English and Chinese; needs nothing from elsewhere."""

from collections.abc import Mapping
from functools import cache

import jinja2
from aiohttp import web

from asynq_exporter import __version__
from asynq_exporter.web import appkeys, html, language
from asynq_exporter.web.api import curl, fields
from asynq_exporter.web.api.answers import HEADER
from asynq_exporter.web.api.endpoints import ENDPOINTS


async def page(request: web.Request) -> web.Response:
    """The page; the same for everybody, so it needs no token."""
    chosen = language.choose(request)
    settings = request.app[appkeys.SETTINGS]
    text = _template().render(
        language=chosen,
        other=language.other(chosen),
        t=texts()[chosen],
        sections=(
            ("guide", [one for one in ENDPOINTS if one.is_documented]),
            ("more", [one for one in ENDPOINTS if not one.is_documented]),
        ),
        base=f"{request.scheme}://{request.host}",
        read_only=settings.api_read_only,
        payloads=settings.api_payloads,
        key_header=HEADER,
        version=__version__,
    )
    return web.Response(text=text, content_type="text/html")


def texts() -> Mapping[str, Mapping[str, str]]:
    """Language -> name -> text."""
    return html.texts(__package__)


@cache
def _template() -> jinja2.Template:
    environment = html.environment()
    environment.globals |= {"fields_of": fields.fields_of, "path_of": fields.path_of, "example": curl.example}
    return environment.get_template("api.html")
