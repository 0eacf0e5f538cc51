"""Where Redis is: the URLs of redis-py and of asynq, parsed once and never printed with their secrets."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from asynq_exporter.settings.options import check_host

DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379

#: Redis counts databases in a C int.
HIGHEST_DB = 2**31 - 1


class Topology(StrEnum):
    """How Redis is set up; the word is that of the URL's scheme."""

    SINGLE = ""
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


#: Scheme -> topology, and whether it means TLS; those of Unix sockets are apart.
_SCHEMES = {
    f"{redis}{'-' if topology else ''}{topology}": (topology, redis == "rediss")
    for topology in Topology
    for redis in ("redis", "rediss")
}
_SOCKET_SCHEMES = ("unix", "redis-socket")
_FORMS = (
    "redis://host:6379/0, rediss://host:6379/0, unix:///path/to/redis.sock?db=0,"
    " redis-sentinel://host1:26379,host2:26379/0?master=NAME or redis-cluster://host1:6379,host2:6379"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisUrl:
    """Where Redis is; `str` and `repr` mask user and password."""

    topology: Topology = Topology.SINGLE
    #: Host and port of the server, of each Sentinel, or of the cluster's nodes to ask first.
    addresses: tuple[tuple[str, int], ...] = ()
    #: Name by which Sentinel knows the master.
    master: str = ""
    #: Path of the Unix socket; empty for TCP.
    socket_path: str = ""
    tls: bool = False
    db: int = 0
    #: For Sentinel these are the Sentinels' own, as asynq reads such a URL.
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The server that a URL names; raises ValueError with a sentence that holds no secret."""
        try:
            parts = urlsplit(text)
        except ValueError as exc:
            raise ValueError(f"{mask_whole(text)!r} is not a URL; percent-encode special characters") from exc
        _check_shape(text, parts)
        user, _, place = parts.netloc.rpartition("@")
        name, _, word = user.partition(":")
        username, password = unquote(name) or None, unquote(word) or None
        if parts.scheme in _SOCKET_SCHEMES:
            # asynq writes redis-socket://path without a host, so what looks like a host belongs to the path.
            path = unquote(place + parts.path)
            if not path or not path.isprintable():
                raise ValueError("a socket URL needs a path; write unix:///path/to/redis.sock")
            db = _database(parts, in_path=False)
            return cls(socket_path=path, db=db, username=username, password=password)
        topology, tls = _SCHEMES[parts.scheme]
        usual = DEFAULT_SENTINEL_PORT if topology is Topology.SENTINEL else DEFAULT_PORT
        places = [place] if topology is Topology.SINGLE else place.split(",")
        return cls(
            topology=topology,
            addresses=tuple(_address(text, each, usual) for each in places),
            master=_master(parts, topology),
            tls=tls,
            db=_database(parts, in_path=True),
            username=username,
            password=password,
        )

    def __str__(self) -> str:
        """The URL with user and password masked."""
        secret = "***@" if self.username or self.password else ""
        if self.socket_path:
            return f"unix://{secret}{quote(self.socket_path)}?db={self.db}"
        scheme = next(s for s, known in _SCHEMES.items() if known == (self.topology, self.tls))
        places = ",".join(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in self.addresses)
        master = f"?master={quote(self.master)}" if self.master else ""
        return f"{scheme}://{secret}{places}/{self.db}{master}"

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
    if parts.scheme not in (*_SCHEMES, *_SOCKET_SCHEMES) or not text.startswith(f"{parts.scheme}://"):
        raise ValueError(f"{mask_whole(text)!r} is not a Redis URL; write {_FORMS}")
    # A password with a bare # or / ends the authority early; half of it would then travel as path.
    if parts.fragment or "@" in parts.path + parts.query:
        raise ValueError(
            f"{mask_whole(text)!r} is ambiguous; percent-encode # / ? and @ in user, password and path"
        )


def _address(text: str, place: str, usual_port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{place}")
        port = parts.port
    except ValueError as exc:
        raise ValueError(f"{mask_whole(text)!r} is not a URL; percent-encode special characters") from exc
    host = parts.hostname or "localhost"
    check_host(host)
    return host, usual_port if port is None else port


def _master(parts: SplitResult, topology: Topology) -> str:
    names = [value for key, value in parse_qsl(parts.query) if key == "master"]
    if topology is not Topology.SENTINEL and names:
        raise ValueError("URL parameter 'master' is for redis-sentinel:// alone; remove it")
    if topology is Topology.SENTINEL and len(names) != 1:
        raise ValueError(
            "Sentinel needs the name of the master; write redis-sentinel://host:26379?master=NAME"
        )
    return names[0] if names else ""


def _database(parts: SplitResult, *, in_path: bool) -> int:
    asked = [value for key, value in parse_qsl(parts.query, keep_blank_values=True) if key == "db"]
    for key, _ in parse_qsl(parts.query, keep_blank_values=True):
        if key not in ("db", "master"):
            raise ValueError(
                f"URL parameter {key!r} is not supported; only db and master are, the rest are options"
            )
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
