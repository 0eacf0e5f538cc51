"""The OpenAPI document, made from the table."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from asynq_exporter import __version__
from asynq_exporter.web.api.answers import HEADER
from asynq_exporter.web.api.endpoint import Endpoint
from asynq_exporter.web.api.endpoints import ENDPOINTS
from asynq_exporter.web.api.errors import STATUSES
from asynq_exporter.web.api.models.shape import Failure
from asynq_exporter.web.api.paths import PREFIX

_TEMPLATE = "#/components/schemas/{model}"

DESCRIPTION = (
    "Reads and manages Asynq queues. Every answer has `success`; what was asked for stands in `data`, and a"
    " refusal in `error` (a code for programs) and `message` (for people). Messages of what was done are in"
    " Chinese, as in the operations guide; refusals are in English."
)


async def page(_request: web.Request) -> web.Response:
    """The document."""
    return web.Response(text=_text(), content_type="application/json")


@cache
def document() -> Mapping[str, Any]:
    """OpenAPI 3.1."""
    refs, schemas = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        operation = _operation(endpoint, refs[endpoint.answers])
        paths.setdefault(PREFIX + endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "asynq-exporter", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas,
        },
    }


def _operation(endpoint: Endpoint, answer: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.says["en"],
        "description": f"Needs the role {endpoint.role.value}.",
        "x-role": endpoint.role.value,
        "x-summary-zh": endpoint.says["zh"],
        "tags": ["guide" if endpoint.is_documented else "more"],
        "parameters": list(_parameters(endpoint)),
        "responses": {
            "200": _content("Done." if endpoint.is_write else "What was asked for.", answer),
            **{
                str(status): _content(STATUSES[status]["en"], {"$ref": _TEMPLATE.format(model="Failure")})
                for status in endpoint.statuses
            },
        },
    }
    if endpoint.has_body:
        content = {"application/json": {"schema": {"$ref": _TEMPLATE.format(model=endpoint.asks.__name__)}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    if not endpoint.has_body:
        schema = endpoint.asks.model_json_schema(ref_template=_TEMPLATE)
        for name, said in schema.get("properties", {}).items():
            in_path = name in endpoint.path_names
            yield {
                "name": name,
                "in": "path" if in_path else "query",
                "required": in_path or name in schema.get("required", ()),
                "description": said.get("description", ""),
                "schema": {key: value for key, value in said.items() if key not in {"description", "title"}},
            }
    if endpoint.is_write:
        yield {
            "name": HEADER,
            "in": "header",
            "required": False,
            "description": "The same key with the same request gets the same answer, for a day.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        }


def _content(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _schemas() -> tuple[Mapping[type[BaseModel], Mapping[str, Any]], Mapping[str, Any]]:
    """The reference of every model that is answered, and all schemas by name."""
    asked = {endpoint.asks for endpoint in ENDPOINTS}
    answered = {endpoint.answers for endpoint in ENDPOINTS} | {Failure}
    both: list[tuple[type[BaseModel], Any]] = [
        *((model, "validation") for model in asked),
        *((model, "serialization") for model in answered),
    ]
    both.sort(key=lambda pair: pair[0].__name__)
    refs, found = models_json_schema(both, ref_template=_TEMPLATE)
    return {model: refs[model, "serialization"] for model in answered}, found["$defs"]


@cache
def _text() -> str:
    return json.dumps(document(), ensure_ascii=False)
