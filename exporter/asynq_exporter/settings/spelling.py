"""What somebody may have meant who wrote a word that is not known."""

from collections.abc import Iterable
from difflib import SequenceMatcher

#: Likeness, 0 to 1, from which on a word counts as mistyped; how much less alike a second one may be.
_LIKE, _NEXT = 0.75, 0.04


def meant(word: str, words: Iterable[str]) -> list[str]:
    """At most two known words, the likeliest first; none when nothing comes close."""
    known = list(words)
    scores = {one: SequenceMatcher(None, word, one).ratio() for one in known}
    enough = max(_LIKE, max(scores.values(), default=0) - _NEXT)
    close = sorted((one for one in known if scores[one] >= enough), key=lambda one: -scores[one])
    # `--url` is not like `--redis.url`, yet a part of it.
    bare = word.lstrip("-")
    parts = [one for one in known if len(bare) > 1 and bare in one.replace("-", ".").split(".")]
    return (close or parts)[:2]


def suggestion(word: str, words: Iterable[str]) -> str:
    """`; did you mean ...?` when a known word comes close, else nothing."""
    close = meant(word, words)
    return f"; did you mean {' or '.join(close)}?" if close else ""
