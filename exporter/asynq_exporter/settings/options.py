"""What an option is: its names, its kind of value, its sentence.

A `Kind` turns text into a value and back. Flags, environment and config file all hand over text, so a
value is checked in one place whatever its origin. Errors are ValueErrors with a remedy.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, replace
from pathlib import Path
from typing import Any

ENVIRONMENT_PREFIX = "ASYNQ_"

_MILLISECONDS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
    "y": 365 * 86_400_000,
}
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>\d+(?:\.\d+)?){unit})?" for unit in reversed(_MILLISECONDS)))
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A type of value: how text becomes it, and how it becomes text again."""

    #: Word that stands for the value in help; empty for a switch.
    metavar: str
    parse: Callable[[str], Any]
    show: Callable[[Any], str] = str
    #: A relative path in the config file is relative to that file.
    is_path: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option with every name it has; `name` is its field in `Settings`."""

    name: str
    #: Without the leading dashes; also the path of its key in the config file. None for a secret.
    flag: str | None
    environment: str
    kind: Kind
    #: Default as text; None when there is none.
    default: str | None
    sentence: str
    group: str
    #: May be given several times; in the environment separated by spaces.
    repeatable: bool

    @property
    def key(self) -> str | None:
        """Its key in the config file; --config.file cannot be in the file it names."""
        return None if self.flag == "config.file" else self.flag

    @property
    def shown(self) -> str:
        """Its name in a message: the flag, or the variable of one that has none."""
        return self.environment if self.flag is None else f"--{self.flag}"

    def show(self, value: Any) -> str:
        """A value of this option as text, secrets masked; empty when there is none."""
        if value is None:
            return ""
        return " ".join(self.kind.show(one) for one in value) if self.repeatable else self.kind.show(value)


class Secret:
    """A text that no repr, log or traceback shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A TCP address to listen on; an empty host is every interface."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def option(
    flag: str | None,
    kind: Kind,
    *,
    group: str,
    sentence: str,
    default: str | None = None,
    environment: str = "",
    repeatable: bool = False,
) -> Any:
    """A dataclass field that declares an option; its environment name follows from the flag, or is given."""
    if not environment and flag is not None:
        environment = ENVIRONMENT_PREFIX + flag.upper().replace(".", "_").replace("-", "_")
    value = None if default is None else kind.parse(default)
    if repeatable:
        value = () if value is None else (value,)
    declared = Option(
        name="",  # known only once the class exists; see `declared_in`
        flag=flag,
        environment=environment,
        kind=kind,
        default=default,
        sentence=sentence,
        group=group,
        repeatable=repeatable,
    )
    return field(default=value, metadata={"option": declared})


def declared_in(fields: tuple[Field[Any], ...]) -> Mapping[str, Option]:
    """The options of a dataclass by field name, in order."""
    return {f.name: _named(f.name, f.metadata["option"]) for f in fields}


def parse_duration(text: str) -> float:
    """Seconds of a duration in the notation of Prometheus."""
    match = _DURATION.fullmatch(text)
    if text == "0":
        return 0.0
    if not text or match is None:
        raise ValueError(f"{text!r} is not a duration; write number and unit, as in 500ms, 10s or 1m30s")
    given = {unit: float(number) for unit, number in match.groupdict().items() if number is not None}
    return round(sum(number * _MILLISECONDS[unit] for unit, number in given.items())) / 1000


def show_duration(seconds: float) -> str:
    """The shortest notation of Prometheus for a number of seconds."""
    rest, parts = round(seconds * 1000), []
    for unit in ("d", "h", "m", "s", "ms"):
        number, rest = divmod(rest, _MILLISECONDS[unit])
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


def duration(*, least: float, most: float) -> Kind:
    """A duration within bounds, in seconds."""

    def parse(text: str) -> float:
        seconds = parse_duration(text)
        if not least <= seconds <= most:
            raise ValueError(
                f"{text!r} is out of range; write {show_duration(least)} to {show_duration(most)}"
            )
        return seconds

    return Kind(metavar="DURATION", parse=parse, show=show_duration)


def seconds(*, least: float, most: float) -> Kind:
    """A duration whose unit may be left out, as in the guide's variables: then it is seconds."""
    bounded = duration(least=least, most=most)
    return replace(bounded, parse=lambda text: bounded.parse(f"{text}s" if text.isdecimal() else text))


def integer(*, least: int, most: int) -> Kind:
    """A whole number within bounds."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII) or not least <= int(text) <= most:
            raise ValueError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return Kind(metavar="NUMBER", parse=parse)


def choice(*words: str) -> Kind:
    """One of a few words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is unknown; write {', '.join(words[:-1])} or {words[-1]}")
        return text

    return Kind(metavar="|".join(words), parse=parse)


def _parse_switch(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError(f"{text!r} is neither on nor off; write true or false")
    return text.lower() in _TRUE


def _parse_text(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError(f"{text!r} is empty or holds control characters")
    return text


def _parse_path(text: str) -> Path:
    return Path(_parse_text(text))


def _parse_pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as exc:
        raise ValueError(f"{text!r} is not a regular expression: {exc}") from exc


def check_host(host: str) -> None:
    """Raises ValueError when a text cannot be the name or address of a host."""
    try:
        host.encode("idna")
    except UnicodeError as exc:
        raise ValueError(f"{host!r} cannot be the name of a host") from exc
    if not host.isprintable() or " " in host:
        raise ValueError(f"{host!r} cannot be the name of a host")


def _parse_address(text: str) -> Address:
    match = re.fullmatch(
        r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<name>[^\s\[\]:/]*)):(?P<port>\d{1,5})", text, re.ASCII
    )
    if match is None or int(match["port"]) > 65535:
        raise ValueError(f"{text!r} is not an address; write :9876, 127.0.0.1:9876 or [::1]:9876")
    host = match["v6"] or match["name"] or ""
    check_host(host)
    return Address(host=host, port=int(match["port"]))


def _parse_secret(text: str) -> Secret:
    return Secret(text)


SWITCH = Kind(metavar="", parse=_parse_switch, show=lambda value: "true" if value else "false")
TEXT = Kind(metavar="TEXT", parse=_parse_text)
PATH = Kind(metavar="FILE", parse=_parse_path, is_path=True)
#: Matched against the whole name, as Prometheus does.
PATTERN = Kind(metavar="REGEX", parse=_parse_pattern, show=lambda pattern: str(pattern.pattern))
ADDRESS = Kind(metavar="ADDRESS", parse=_parse_address)
SECRET = Kind(metavar="SECRET", parse=_parse_secret)


def _named(name: str, unnamed: Option) -> Option:
    values = {slot: getattr(unnamed, slot) for slot in Option.__slots__}
    return Option(**{**values, "name": name})
