"""The page for people at /api/v1/, in English and Chinese; needs nothing from elsewhere."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import jinja2
from aiohttp import web

from asynq_exporter import __version__
from asynq_exporter.web import appkeys, language
from asynq_exporter.web.api import curl, fields
from asynq_exporter.web.api.answers import HEADER
from asynq_exporter.web.api.endpoints import ENDPOINTS


async def page(request: web.Request) -> web.Response:
    """The page; the same for everybody, so it needs no token."""
    chosen = language.choose(request)
    settings = request.app[appkeys.SETTINGS]
    html = _template().render(
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
    return web.Response(text=html, content_type="text/html")


@cache
def texts() -> Mapping[str, Mapping[str, str]]:
    """Language -> name -> text."""
    loaded: dict[str, dict[str, str]] = json.loads(
        files(__package__).joinpath("texts.json").read_text("utf-8")
    )
    return loaded


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("asynq_exporter.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"fields_of": fields.fields_of, "path_of": fields.path_of, "example": curl.example}
    return environment.get_template("api.html")
