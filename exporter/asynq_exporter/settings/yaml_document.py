"""A YAML file as plain data in which every value still knows its line.

Every scalar stays text: what a text means is for its option or model to say, so that `no`, `0x10` and
`1:30` hold no surprises. Anchors, tags and duplicate keys are refused, and so are files of absurd size.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import yaml

from asynq_exporter.settings import SettingsError, text_file
from asynq_exporter.settings.spelling import suggestion
from asynq_exporter.settings.text_file import TextFileError

#: More than a thousand queue profiles fit; parsing as much takes a second or two.
MAX_BYTES = 256 * 1024

Location = tuple[str | int, ...]

_NULLS = ("", "~", "null", "Null", "NULL")
_PLAIN_TAGS = {
    yaml.ScalarNode: yaml.BaseLoader.DEFAULT_SCALAR_TAG,
    yaml.SequenceNode: yaml.BaseLoader.DEFAULT_SEQUENCE_TAG,
    yaml.MappingNode: yaml.BaseLoader.DEFAULT_MAPPING_TAG,
}


#: What to say for the error types of pydantic that our models can raise.
_SENTENCES = {
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "int_parsing": "{value!r} is not a whole number",
    "int_parsing_size": "{value!r} is not a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "{value!r} is not a number",
    "float_type": "must be a number",
    "bool_parsing": "{value!r} is neither on nor off; write true or false",
    "bool_type": "must be true or false",
    "greater_than_equal": "must be {ge} or more, not {value}",
    "greater_than": "must be more than {gt}, not {value}",
    "less_than_equal": "must be {le} or less, not {value}",
    "string_type": "must be a text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a section with keys of its own",
    "model_type": "must be a section with keys of its own",
    "literal_error": "{value!r} is unknown; write {expected}",
    "value_error": "{error}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong at a place in a document."""

    location: Location
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The data of a file: mappings, lists, texts and None."""

    path: Path
    #: May hold a password, so no repr shows it.
    data: Mapping[str, Any] = field(repr=False)
    lines: Mapping[Location, int]

    def line(self, location: Location) -> int:
        """The line of a place, or of the nearest place around it."""
        while location not in self.lines and location:
            location = location[:-1]
        return self.lines.get(location, 1)

    def error(self, problems: Iterable[Problem]) -> SettingsError:
        """The error that shows problems as `file:line: key: sentence`, in the order of the file."""
        ordered = sorted(problems, key=lambda problem: self.line(problem.location))
        return SettingsError(*map(self._show, ordered))

    def _show(self, problem: Problem) -> str:
        key = ".".join(str(part) for part in problem.location)
        return f"{self.path}:{self.line(problem.location)}: {key}{': ' if key else ''}{problem.sentence}"


def read(path: Path) -> Document:
    """The document in a file; raises SettingsError."""
    try:
        return parse(text_file.read(path, max_bytes=MAX_BYTES), path=path)
    except TextFileError as exc:
        raise SettingsError(str(exc)) from exc


def parse(text: str, *, path: Path) -> Document:
    """The document in a text; raises SettingsError."""
    try:
        root = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        sentence = exc.problem or exc.context or "is not YAML"
        line = mark.line + 1 if mark else 1
        raise SettingsError(f"{path}:{line}: is not valid YAML: {sentence}") from exc
    except yaml.reader.ReaderError as exc:
        line = text[: exc.position].count("\n") + 1
        raise SettingsError(f"{path}:{line}: holds a control character that YAML does not allow") from exc
    except RecursionError as exc:
        raise SettingsError(f"{path} is nested too deeply") from exc
    if root is None or (isinstance(root, yaml.ScalarNode) and _scalar(root) is None):
        return Document(path=path, data={}, lines={})
    builder = _Builder()
    data = builder.build(root, ())
    document = Document(path=path, data=data if isinstance(data, dict) else {}, lines=builder.lines)
    if builder.problems:
        raise document.error(builder.problems)
    if not isinstance(data, dict):
        raise SettingsError(f"{path}:1: must consist of sections and keys, as in `redis: {{url: ...}}`")
    return document


def problems_of(
    errors: Sequence[Mapping[str, Any]], *, model: Any, under: Location = ()
) -> Iterator[Problem]:
    """The errors of a pydantic model in words that fit a config file."""
    for error in errors:
        sentence = _sentence(error)
        if error["type"] == "extra_forbidden":
            sentence += suggestion(str(error["loc"][-1]), _fields_around(model, error["loc"]))
        yield Problem(location=(*under, *error["loc"]), sentence=sentence)


def _fields_around(model: Any, location: Location) -> Iterable[str]:
    """The keys that the section of a place may have."""
    for part in location[:-1]:
        annotation = model.model_fields[part].annotation
        inside = [arg for arg in (annotation, *get_args(annotation)) if hasattr(arg, "model_fields")]
        if not inside:
            return ()
        model = inside[0]
    return tuple(model.model_fields)


def _sentence(error: Mapping[str, Any]) -> str:
    if error["input"] is None and error["type"] != "extra_forbidden":
        return "has no value; write one or remove the key"
    template = _SENTENCES.get(error["type"])
    if template is None:
        return str(error["msg"])
    return template.format(value=error["input"], **error.get("ctx", {}))


class _Loader(yaml.BaseLoader):
    """Composes nodes, without the anchors that would let a small file unfold into a huge one."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:
            raise yaml.MarkedYAMLError(
                problem="anchors and aliases are not supported", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)


class _Builder:
    """Turns nodes into data and notes lines and problems on the way."""

    def __init__(self) -> None:
        self.lines: dict[Location, int] = {}
        self.problems: list[Problem] = []

    def build(self, node: yaml.Node, location: Location) -> Any:
        self.lines.setdefault(location, node.start_mark.line + 1)
        if node.tag != _PLAIN_TAGS[type(node)]:
            self.problems.append(Problem(location=location, sentence=f"the tag {node.tag} is not supported"))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*location, index)) for index, item in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(location=location, sentence="a key must be a plain text"))
                continue
            place = (*location, key)
            if key in data:
                first, self.lines[place] = self.lines[place], key_node.start_mark.line + 1
                self.problems.append(
                    Problem(location=place, sentence=f"is given twice; line {first} has it too")
                )
                continue
            self.lines[place] = key_node.start_mark.line + 1
            data[key] = self.build(value_node, place)
        return data


def _scalar(node: yaml.Node) -> str | None:
    plain = getattr(node, "style", None) is None  # a quoted "" is an empty text, not a missing value
    text: str = node.value
    return None if plain and text in _NULLS else text
