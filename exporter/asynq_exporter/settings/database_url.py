"""Where the task records are: the address of a database, never printed with its password."""

from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from asynq_exporter.settings.redis_url import mask_whole

_SQLITE, _POSTGRESQL = "sqlite", ("postgresql", "postgres")
_FORMS = "postgresql://host:5432/name or sqlite:///path/to/records.db"


class DatabaseUrl:
    """The address of a database; `str` and `repr` mask user and password."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def parse(cls, text: str) -> Self:
        """The database that a URL names; raises ValueError with a sentence that holds no secret."""
        if not text.isprintable():
            raise ValueError("the address of the database holds control characters")
        try:
            parts = urlsplit(text)
            _ = parts.port
        except ValueError as exc:
            raise ValueError(f"{mask_whole(text)!r} is not a URL; percent-encode special characters") from exc
        if parts.scheme not in (_SQLITE, *_POSTGRESQL) or not text.startswith(f"{parts.scheme}://"):
            raise ValueError(f"{mask_whole(text)!r} is not the address of a database; write {_FORMS}")
        # A password with a bare # or / ends the authority early; half of it would then travel as path.
        if parts.fragment or "@" in parts.path:
            raise ValueError(f"{mask_whole(text)!r} is ambiguous; percent-encode # / ? and @ in the password")
        if parts.scheme == _SQLITE and (parts.netloc or parts.path in ("", "/", "/:memory:")):
            raise ValueError(f"{mask_whole(text)!r} names no file; write sqlite:///path/to/records.db")
        if parts.scheme in _POSTGRESQL and not parts.path.strip("/"):
            raise ValueError(f"{mask_whole(text)!r} names no database; write {_FORMS}")
        return cls(text)

    def reveal(self) -> str:
        """The address itself, for who connects."""
        return self._text

    @property
    def file(self) -> Path | None:
        """The file of an embedded database; None for a server."""
        parts = urlsplit(self._text)
        return Path(unquote(parts.path.removeprefix("/"))) if parts.scheme == _SQLITE else None

    def __str__(self) -> str:
        """The address with user and password masked."""
        return mask_whole(self._text)

    def __repr__(self) -> str:
        """The same, for dumps of the settings."""
        return f"DatabaseUrl({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatabaseUrl) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)
