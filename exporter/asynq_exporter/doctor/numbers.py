"""Numbers for people, in English and Chinese; the unit is the end of the name."""

from collections.abc import Callable, Mapping

UNITS: Mapping[str, Mapping[str, str]] = {
    "en": {"d": " d", "h": " h", "m": " min", "s": " s", "ms": " ms"},
    "zh": {"d": " 天", "h": " 小时", "m": " 分", "s": " 秒", "ms": " 毫秒"},
}

_SIZES = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))

#: Below it one digit behind the point still says something.
FEW_SECONDS = 10


def duration(seconds: float, language: str) -> str:
    """Two units at most."""
    units = UNITS[language]
    if seconds < 1:
        return f"{seconds * 1000:.0f}{units['ms']}" if seconds else f"0{units['s']}"
    if seconds < FEW_SECONDS:
        return f"{seconds:.1f}".removesuffix(".0") + units["s"]
    whole = int(seconds)
    parts: list[tuple[int, str]] = []
    for size, unit in _SIZES:
        count, whole = divmod(whole, size)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count}{units[unit]}" for count, unit in parts[:2] if count)


def size(count: float, _language: str) -> str:
    """Bytes."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def share(ratio: float, _language: str) -> str:
    """A ratio in percent; a little is not nothing."""
    percent = ratio * 100
    return f"{percent:.0f} %" if percent >= FEW_SECONDS or not percent else f"{percent:.1f} %"


def pace(per_second: float, language: str) -> str:
    """How many in a second."""
    number = f"{per_second:,.0f}" if per_second >= FEW_SECONDS else f"{per_second:.1f}".removesuffix(".0")
    return number + ("/s" if language == "en" else "/秒")


#: End of a name -> how its number is written.
FORMATS: Mapping[str, Callable[[float, str], str]] = {
    "_per_second": pace,
    "_seconds": duration,
    "seconds": duration,
    "_bytes": size,
    "_ratio": share,
}


def written(name: str, value: float, language: str) -> str:
    """A number by its name; one without a unit is a count."""
    for ending, form in FORMATS.items():
        if name.endswith(ending):
            return form(value, language)
    return f"{value:,.0f}"
