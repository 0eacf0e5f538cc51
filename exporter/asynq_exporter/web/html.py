"""What the pages for people are made of: templates, and texts in both languages."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import jinja2


@cache
def texts(package: str) -> Mapping[str, Mapping[str, str]]:
    """Language -> name -> text, of the `texts.json` in a package."""
    loaded: dict[str, dict[str, str]] = json.loads(files(package).joinpath("texts.json").read_text("utf-8"))
    return loaded


def environment() -> jinja2.Environment:
    """The templates; what they show is escaped, and a name that is missing is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("asynq_exporter.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
