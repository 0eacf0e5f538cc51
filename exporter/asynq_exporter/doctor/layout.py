"""Text in columns: Chinese characters are two wide, long words are never cut; pure."""

import re
import unicodedata
from collections.abc import Iterator

#: What may not begin a line.
_CLOSING = set("，。、；：！？）】》」』,.;:!?)")


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    return sum(_columns(character) for character in text)


def wrap(text: str, columns: int) -> list[str]:
    """The lines of a text, broken at spaces and between Chinese characters."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line and width(line) + width(piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def pad(text: str, columns: int) -> str:
    """A text with spaces behind it."""
    return text + " " * max(columns - width(text), 0)


def cut(text: str, columns: int) -> str:
    """A text that fits, its end replaced by an ellipsis when it does not."""
    if width(text) <= columns:
        return text
    kept = ""
    for character in text:
        if width(kept) + _columns(character) > columns - 1:
            break
        kept += character
    return kept + "…"


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _pieces(text: str) -> Iterator[str]:
    """Where a line may end: behind a space, and on either side of a wide character."""
    piece = ""
    for token in re.findall(r"\s+|\S", text):
        wide = _columns(token[-1]) == 2
        stays = token in _CLOSING or token.isspace()
        if piece and not stays and (wide or piece[-1].isspace() or _columns(piece[-1]) == 2):
            yield piece
            piece = ""
        piece += token
    if piece:
        yield piece
