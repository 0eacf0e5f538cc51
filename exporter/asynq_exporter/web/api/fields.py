"""The fields of what is asked and answered, for people: one list for the page and docs/api.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asynq_exporter.web.api.endpoint import Endpoint
from asynq_exporter.web.api.endpoints import ENDPOINTS
from asynq_exporter.web.api.paths import PREFIX

#: Values of the example in each language-free place; the guide's own.
EXAMPLES: Mapping[str, Any] = {
    "queue": "scheduled",
    "task_id": "job:task_xxx:0",
    "task_ids": ["job:task_xxx:0", "job:task_yyy:0"],
    "entry_id": "ENTRY_ID",
}
TASKS: Mapping[str, Any] = {"task_id": "task_xxx", "task_ids": ["task_xxx", "task_yyy"]}

#: What an example shows beside what is required.
EXTRA: Mapping[str, Mapping[str, Any]] = {
    "list_tasks": {"queue": "scheduled", "state": "retry", "page": 1, "size": 20},
    "delete": {"state": "archived"},
    "cancel": {"reason": "用户申请取消"},
    "cancel_batch": {"reason": "外部服务故障批量取消"},
    "search_tasks": {"queue": "scheduled", "state": "archived", "error": "timeout"},
    "retry_batch": {"state": "retry", "error": "timeout", "limit": 100, "dry_run": True},
    "archive_batch": {"task_ids": EXAMPLES["task_ids"]},
    "delete_batch": {"state": "archived", "dry_run": True},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldView:
    """A field of a request."""

    name: str
    #: path, query or body.
    place: str
    kind: str
    #: As JSON would show it; None when the field is required.
    default: str | None
    #: Language -> sentence.
    says: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerView:
    """A field of an answer."""

    name: str
    #: Type in JSON; {X} stands for an object of the table X.
    kind: str
    #: Language -> sentence.
    says: Mapping[str, str]


def fields_of(endpoint: Endpoint) -> list[FieldView]:
    """The fields of what an endpoint asks."""
    schema = endpoint.asks.model_json_schema()
    required = schema.get("required", ())
    return [
        FieldView(
            name=name,
            place="path" if name in endpoint.path_names else "body" if endpoint.has_body else "query",
            kind=_kind(said, schema.get("$defs", {})),
            default=None if name in required else _default(said.get("default")),
            says={"en": said["description"], "zh": said["x-zh"]},
        )
        for name, said in schema.get("properties", {}).items()
    ]


def answers() -> Mapping[str, list[AnswerView]]:
    """The fields of every object in the answers, by its name, in the order of the endpoints."""
    return {
        name: _answer_views(schema)
        for endpoint in ENDPOINTS
        for name, schema in _answer_schema(endpoint)["$defs"].items()
    }


def answer_of(endpoint: Endpoint) -> str:
    """The kind of what stands in `data`."""
    schema = _answer_schema(endpoint)
    data = schema["properties"]["data"]
    whole = schema["$defs"][data["$ref"].rpartition("/")[2]]
    return _answer_kind(whole if "additionalProperties" in whole else data)


def example_values(endpoint: Endpoint) -> dict[str, Any]:
    """What the example of an endpoint asks."""
    known = {**EXAMPLES, **(TASKS if endpoint.name in {"cancel", "cancel_batch"} else {})}
    required = endpoint.asks.model_json_schema().get("required", ())
    return {name: known[name] for name in required} | dict(EXTRA.get(endpoint.name, {}))


def path_of(endpoint: Endpoint) -> str:
    """The path as the guide writes it, with `:id`."""
    return PREFIX + endpoint.path.replace("{task_id}", ":id")


def _answer_schema(endpoint: Endpoint) -> Mapping[str, Any]:
    return endpoint.answers.model_json_schema(mode="serialization")


def _answer_views(schema: Mapping[str, Any]) -> list[AnswerView]:
    return [
        AnswerView(name=name, kind=_answer_kind(said), says={"en": said["description"], "zh": said["x-zh"]})
        for name, said in schema.get("properties", {}).items()
    ]


def _answer_kind(said: Mapping[str, Any]) -> str:
    if choices := said.get("anyOf"):
        return " / ".join(map(_answer_kind, choices))
    if ref := said.get("$ref"):
        return f"{{{ref.rpartition('/')[2]}}}"
    if words := said.get("enum"):
        return " / ".join(words)
    if said["type"] == "array":
        return f"{_answer_kind(said['items'])}[]"
    if values := said.get("additionalProperties"):
        return f"string → {_answer_kind(values)}"
    return str(said["type"])


def _kind(said: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if choices := said.get("anyOf"):
        return _kind(next(one for one in choices if one.get("type") != "null"), definitions)
    if ref := said.get("$ref"):
        return " / ".join(definitions[ref.rpartition("/")[2]]["enum"])
    kind = str(said.get("type"))
    if kind == "array":
        return f"{_kind(said['items'], definitions)}[]"
    if "minimum" in said:
        return f"{kind} {said['minimum']}–{said['maximum']}"
    return kind


def _default(value: Any) -> str:
    if value is None or value == "":
        return "–"
    return str(value).lower() if isinstance(value, bool) else str(value)
