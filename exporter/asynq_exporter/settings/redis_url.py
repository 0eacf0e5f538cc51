"""Where Redis is: the URLs of redis-py and of asynq, parsed once and never printed with their secrets."""

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from asynq_exporter.settings.options import check_host

DEFAULT_PORT = 6379

#: Redis counts databases in a C int.
HIGHEST_DB = 2**31 - 1

_SCHEMES = ("redis", "rediss", "unix", "redis-socket")
_FORMS = "redis://host:6379/0, rediss://host:6379/0 or unix:///path/to/redis.sock?db=0"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisUrl:
    """One Redis server and database; `str` and `repr` mask user and password."""

    #: Name or address; empty for a Unix socket.
    host: str = ""
    #: TCP port; 0 for a Unix socket.
    port: int = 0
    #: Path of the Unix socket; empty for TCP.
    socket_path: str = ""
    tls: bool = False
    db: int = 0
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The server that a URL names; raises ValueError with a sentence that holds no secret."""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as exc:
            raise ValueError(f"{mask_whole(text)!r} is not a URL; percent-encode special characters") from exc
        _check_shape(text, parts)
        username, password = _decode(parts.username), _decode(parts.password)
        if parts.scheme in ("unix", "redis-socket"):
            # asynq writes redis-socket://path without a host, so what looks like a host belongs to the path.
            path = unquote((parts.netloc.rpartition("@")[2]) + parts.path)
            if not path or not path.isprintable():
                raise ValueError("a socket URL needs a path; write unix:///path/to/redis.sock")
            db = _database(parts, in_path=False)
            return cls(socket_path=path, db=db, username=username, password=password)
        host = parts.hostname or "localhost"
        check_host(host)
        return cls(
            host=host,
            port=DEFAULT_PORT if port is None else port,
            tls=parts.scheme == "rediss",
            db=_database(parts, in_path=True),
            username=username,
            password=password,
        )

    def __str__(self) -> str:
        """The URL with user and password masked."""
        secret = "***@" if self.username or self.password else ""
        if self.socket_path:
            return f"unix://{secret}{quote(self.socket_path)}?db={self.db}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{secret}{host}:{self.port}/{self.db}"

    def __repr__(self) -> str:
        """The same, for dumps of the settings."""
        return f"RedisUrl({str(self)!r})"


def mask(text: str) -> str:
    """A text with the user and password of every URL in it replaced by stars.

    Greedy up to the last @ of a word: a password that should have been percent-encoded is masked too. Takes
    time in proportion to the text, for it may come from a stranger.
    """
    return re.sub(r"[^\s\"'<>]+", lambda match: mask_whole(match[0]), text)


def mask_whole(text: str) -> str:
    """The same for a text that is meant to be one URL, whatever stands in it."""
    text = re.sub(r"(?i)([?&](?:password|passwd|token)=)[^&]+", r"\1***", text)
    before, at, after = text.rpartition("@")
    scheme, slashes, _ = before.partition("://")
    if slashes:
        return f"{scheme}{slashes}***{at}{after}"
    # Somebody forgot the scheme, but not the password.
    return f"***{at}{after}" if ":" in before else text


def _check_shape(text: str, parts: SplitResult) -> None:
    if parts.scheme == "redis-sentinel":
        raise ValueError(f"Redis Sentinel is not supported; give the URL of the server itself, {_FORMS}")
    if parts.scheme not in _SCHEMES or not text.startswith(f"{parts.scheme}://"):
        raise ValueError(f"{mask_whole(text)!r} is not a Redis URL; write {_FORMS}")
    # A password with a bare # or / ends the authority early; half of it would then travel as path.
    if parts.fragment or "@" in parts.path + parts.query:
        raise ValueError(
            f"{mask_whole(text)!r} is ambiguous; percent-encode # / ? and @ in user, password and path"
        )


def _decode(text: str | None) -> str | None:
    return unquote(text) or None if text is not None else None


def _database(parts: SplitResult, *, in_path: bool) -> int:
    asked = [value for key, value in parse_qsl(parts.query, keep_blank_values=True) if key == "db"]
    for key, _ in parse_qsl(parts.query, keep_blank_values=True):
        if key != "db":
            raise ValueError(f"URL parameter {key!r} is not supported; only db is, the rest are options")
    if in_path and parts.path.strip("/"):
        asked.append(parts.path.strip("/"))
    if len(set(asked)) > 1:
        raise ValueError("the URL names two databases; keep one")
    return parse_db(asked[0]) if asked else 0


def parse_db(text: str) -> int:
    """A database number."""
    if not (text.isascii() and text.isdigit()) or int(text[:12]) > HIGHEST_DB:
        raise ValueError(f"{text!r} is not a database number; write 0 or more")
    return int(text)
