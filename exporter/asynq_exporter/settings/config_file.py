"""The config file: options under the keys of their flags, own queue profiles, backpressure.

Imported only when there is a config file: pydantic costs start-up time.

    redis: {url: ...}                     any option; --redis.url is redis.url here
    queues:
      exclude: [...]                      options too
      profiles: {emails: {weight: ...}}   these REPLACE the six documented queues
    backpressure: {warning: 0.7, critical: 0.9}
    targets:
      orders: {redis: {url: ...}, labels: {env: production}}    further Redis; each may have all of the above
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from asynq_exporter.core import catalog
from asynq_exporter.core.errors import CatalogError
from asynq_exporter.settings import OPTIONS, Given, targets, yaml_document
from asynq_exporter.settings.options import Option
from asynq_exporter.settings.spelling import suggestion
from asynq_exporter.settings.targets import Described
from asynq_exporter.settings.yaml_document import Document, Location, Problem

#: Where the parts that are no options stand.
PROFILES = ("queues", "profiles")
BACKPRESSURE = ("backpressure",)
TARGETS = ("targets",)
#: Only a target has them.
LABELS = ("labels",)

LANGUAGES = ("en", "zh")

#: Far beyond any queue, and still exact as a floating-point sample.
_MOST_TASKS = 10**15

Tasks = Annotated[int, Field(ge=0, le=_MOST_TASKS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """A config file, checked: what it gives for each option key, and the catalogue it describes."""

    path: Path
    options: Mapping[str, Given]
    catalog: catalog.Catalog
    #: Name -> a further Redis.
    targets: Mapping[str, Described]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ladder(_Section):
    """Numbers of tasks above which a level is reached, climbing."""

    info: Tasks | None = Field(default=None, description="End of the normal range.")
    warning: Tasks | None = Field(default=None, description="From here on: somebody should look.")
    critical: Tasks | None = Field(default=None, description="From here on: somebody must act.")

    @field_validator("warning", "critical")
    @classmethod
    def _climbs(cls, value: int | None, info: ValidationInfo) -> int | None:
        for level in reversed(catalog.LEVELS):
            below = info.data.get(level)
            if value is not None and below is not None and value <= below:
                raise ValueError(f"must be greater than {level} ({below})")
        return value


class Thresholds(_Section):
    """Ladders by state."""

    pending: Ladder = Field(default=Ladder(), description="Ladder on waiting tasks.")
    archived: Ladder = Field(default=Ladder(), description="Ladder on dead tasks.")


def _in_every_language(value: Any) -> Any:
    return dict.fromkeys(LANGUAGES, value) if isinstance(value, str) else value


class Texts(_Section):
    """A sentence by language; a missing language takes the other's."""

    en: str | None = None
    zh: str | None = None

    def by_language(self) -> dict[str, str]:
        """The sentence in every language, or nothing."""
        text = self.en or self.zh
        return {lang: getattr(self, lang) or text for lang in LANGUAGES} if text else {}


Model = TypeVar("Model", bound=_Section)
EveryLanguage = Annotated[Texts, BeforeValidator(_in_every_language)]


class Profile(_Section):
    """A queue that the exporter should expect."""

    weight: int = Field(default=1, ge=1, le=_MOST_TASKS, description="Priority of the queue in asynq.")
    capacity: int | None = Field(
        default=None,
        ge=1,
        le=_MOST_TASKS,
        description="Tasks the queue is meant to hold at most; default ten times the highest threshold.",
    )
    thresholds: Thresholds = Field(default=Thresholds(), description="Levels of alarm by state.")
    purpose: EveryLanguage = Field(
        default=Texts(), description="What the queue is for: a text, or {en: ..., zh: ...}."
    )
    response: EveryLanguage = Field(default=Texts(), description="Expected response time, likewise.")


class Backpressure(_Section):
    """Utilisation, 0 to 1, at which a queue leaves NORMAL and WARNING."""

    warning: float = Field(
        default_factory=lambda: catalog.documented().backpressure.warning,
        gt=0,
        le=1,
        description="Share of its capacity from which on a queue is in WARNING.",
    )
    critical: float = Field(
        default_factory=lambda: catalog.documented().backpressure.critical,
        gt=0,
        le=1,
        validate_default=True,
        description="Share of its capacity from which on a queue is in CRITICAL.",
    )

    @field_validator("critical")
    @classmethod
    def _above_warning(cls, value: float, info: ValidationInfo) -> float:
        warning = info.data.get("warning")
        if warning is not None and value <= warning:
            raise ValueError(f"must be greater than warning ({warning:g})")
        return value


def load(path: Path) -> ConfigFile:
    """The config file at a path; raises SettingsError with a line for each problem."""
    document = yaml_document.read(path)
    problems: list[Problem] = []
    known = {each.key: each for each in OPTIONS.values() if each.key is not None}
    own = {key: value for key, value in document.data.items() if (key,) != TARGETS}
    given = dict(_options(_Place(document, (), own), known, problems))
    described = _catalog(_Place(document, (), own), problems)
    found = dict(_targets(document, problems))
    if problems:
        raise document.error(problems)
    return ConfigFile(path=path, options=given, catalog=described, targets=found)


@dataclass(frozen=True, slots=True)
class _Place:
    """A section that has options and queues: the file itself, or a target in it."""

    document: Document
    at: Location
    data: Mapping[str, Any]


def _targets(document: Document, problems: list[Problem]) -> Iterator[tuple[str, Described]]:
    """The targets; a mistake in one is told like any other."""
    section = document.data.get("targets")
    if section is None:
        return
    if not isinstance(section, dict):
        problems.append(Problem(location=TARGETS, sentence="must be a section with a key for each target"))
        return
    if len(section) > targets.MOST_TARGETS:
        problems.append(Problem(location=TARGETS, sentence=f"has more than {targets.MOST_TARGETS} targets"))
    variables: dict[str, str] = {}
    for name, data in section.items():
        at = (*TARGETS, name)
        if not targets.NAME.fullmatch(name):
            sentence = "is no name for a target; write up to 63 letters, digits, . _ or -"
            problems.append(Problem(location=at, sentence=sentence))
        elif (other := variables.setdefault(targets.variable(name, targets.SECRETS[0]), name)) != name:
            sentence = f"has the environment variables of {other!r}; give it another name"
            problems.append(Problem(location=at, sentence=sentence))
        elif (
            not isinstance(data, dict)
            or not isinstance(data.get("redis"), dict)
            or "url" not in data["redis"]
        ):
            problems.append(Problem(location=at, sentence="needs a redis section with url"))
        else:
            yield name, _target(_Place(document, at, data), problems)


def _target(place: _Place, problems: list[Problem]) -> Described:
    return Described(
        options=dict(_options(place, targets.KEYS, problems)),
        catalog=_catalog(place, problems),
        labels=dict(_labels(place, problems)),
    )


def _labels(place: _Place, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    at = (*place.at, *LABELS)
    section = place.data.get("labels") or {}
    if not isinstance(section, dict):
        problems.append(Problem(location=at, sentence="must be a section with a text for each label"))
        return
    for name, value in section.items():
        if not targets.LABEL.fullmatch(name):
            sentence = "is no name of a label; write letters, digits and _, not __ at its beginning"
            problems.append(Problem(location=(*at, name), sentence=sentence))
        elif not isinstance(value, str):
            problems.append(Problem(location=(*at, name), sentence="takes a text"))
        else:
            yield name, value


def _options(
    place: _Place, known: Mapping[str, Option], problems: list[Problem]
) -> Iterator[tuple[str, Given]]:
    """What a section gives for options; a key that is neither option nor one of ours is a problem."""
    document = place.document
    for inside, value in _leaves(place.data, (), known, target=bool(place.at)):
        location = (*place.at, *inside)
        each = known.get(key := ".".join(inside))
        if each is None:
            problems.append(Problem(location=location, sentence=_unknown(key, known)))
        elif any("." in part for part in inside):
            # One way of writing, else the same key could be there twice.
            section, _, last = key.rpartition(".")
            problems.append(Problem(location=location, sentence=f"write {last} below the section {section}"))
        elif (sentence := _shape(value, repeatable=each.repeatable)) is not None:
            problems.append(Problem(location=location, sentence=sentence))
        else:
            texts = value if isinstance(value, list) else [value]
            where = f"{document.path}:{document.line(location)}: {'.'.join(map(str, location))}"
            given = Given(texts=texts, where=where, folder=document.path.parent)
            if (wrong := _wrong(each.kind.parse, texts)) is not None:
                problems.append(Problem(location=location, sentence=wrong))
            yield key, given


def _leaves(
    data: Mapping[str, Any], at: tuple[str, ...], known: Iterable[str], *, target: bool
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The places where an option's value is expected, or where nothing is."""
    for name, value in data.items():
        location = (*at, name)
        if location in (PROFILES, BACKPRESSURE) or (target and location == LABELS):
            continue
        is_section = any(key.startswith(".".join(location) + ".") for key in known)
        if is_section and isinstance(value, dict):
            yield from _leaves(value, location, known, target=target)
        elif not (is_section and value is None):  # `redis:` with all its keys commented out
            yield location, value


def _shape(value: Any, *, repeatable: bool) -> str | None:
    if value is None:
        return "has no value; write one or remove the key"
    if isinstance(value, dict):
        return "takes a value, not a section"
    if isinstance(value, list) and not repeatable:
        return "takes one value, not a list"
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return "takes a list of texts"
    return None


def _wrong(parse: Any, texts: list[str]) -> str | None:
    try:
        for text in texts:
            parse(text)
    except ValueError as exc:
        return str(exc)
    return None


def _unknown(key: str, known: Mapping[str, Any]) -> str:
    if any(one.startswith(f"{key}.") for one in known):
        return "is a section; write keys below it"
    places = [*known, ".".join(PROFILES), *BACKPRESSURE, *TARGETS]
    return f"unknown key{suggestion(key, places)}"


def _catalog(place: _Place, problems: list[Problem]) -> catalog.Catalog:
    queues = dict(catalog.documented().queues)
    section = place.data.get("queues")
    if isinstance(section, dict) and "profiles" in section:
        queues = dict(_profiles(section["profiles"], (*place.at, *PROFILES), problems))
    return catalog.Catalog(queues=MappingProxyType(queues), backpressure=_backpressure(place, problems))


def _profiles(
    section: Any, at: Location, problems: list[Problem]
) -> Iterator[tuple[str, catalog.QueueProfile]]:
    if not isinstance(section, dict):
        sentence = "must be a section with a key for each queue; write {} for none"
        problems.append(Problem(location=at, sentence=sentence))
        return
    for name, value in section.items():
        place = (*at, name)
        if not name.strip():
            problems.append(Problem(location=place, sentence="a queue needs a name"))
        profile = _validated(Profile, {} if value is None else value, place, problems)
        try:
            if profile is not None:
                yield name, _made(profile)
        except CatalogError as exc:
            problems.append(Problem(location=place, sentence=str(exc)))


def _made(profile: Profile) -> catalog.QueueProfile:
    ladders = profile.thresholds.model_dump(exclude_none=True)
    return catalog.make_profile(
        weight=profile.weight,
        capacity=profile.capacity,
        thresholds={state: ladder for state, ladder in ladders.items() if ladder},
        purpose=profile.purpose.by_language(),
        response=profile.response.by_language(),
    )


def _backpressure(place: _Place, problems: list[Problem]) -> catalog.Backpressure:
    section = place.data.get("backpressure")
    at = (*place.at, *BACKPRESSURE)
    given = _validated(Backpressure, {} if section is None else section, at, problems)
    if given is None:
        return catalog.documented().backpressure
    return catalog.Backpressure(warning=given.warning, critical=given.critical)


def _validated(model: type[Model], value: Any, at: Location, problems: list[Problem]) -> Model | None:
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        problems.extend(yaml_document.problems_of(exc.errors(), model=model, under=at))
    return None
