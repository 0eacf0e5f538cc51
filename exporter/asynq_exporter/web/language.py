"""Which language a page speaks."""

from aiohttp import web

LANGUAGES = ("en", "zh")


def choose(request: web.Request) -> str:
    """What the visitor chose, else what the browser prefers of what there is, else English."""
    chosen = request.query.get("lang")
    if chosen in LANGUAGES:
        return chosen
    for item in request.headers.get("Accept-Language", "").split(","):
        if (short := item.strip()[:2].lower()) in LANGUAGES:
            return short
    return LANGUAGES[0]


def other(language: str) -> str:
    """The language to offer instead."""
    return next(each for each in LANGUAGES if each != language)
