"""The tokens of the API: a file that people write, compared in constant time, read anew when it changes.

    # one a line
    <token>                            an admin
    operator:<token>
    viewer:grafana:<token>             with a name for the audit log
    operator:anna:sha256:<64 hex>      `printf %s TOKEN | sha256sum`

A file that cannot be used lets nobody in, rather than somebody whose token was taken away.
"""

import hashlib
import hmac
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from asynq_exporter.settings import SettingsError, text_file
from asynq_exporter.settings.text_file import TextFileError
from asynq_exporter.web.api.roles import Role

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 64 * 1024

#: A token is to be random, and then this long at least: `openssl rand -hex 32` makes a good one.
MIN_TOKEN_CHARACTERS = 16

#: What may stand behind "Bearer" (RFC 6750).
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks."""

    name: str
    role: Role
    #: SHA-256 of the token.
    digest: bytes = field(repr=False)


class Tokens:
    """The tokens of a file, as it is now."""

    def __init__(self, path: Path) -> None:
        """Reads the file; raises SettingsError."""
        self._path = path
        self._stamp: tuple[int, int] | None = _stamp(path)
        self._callers: tuple[Caller, ...] = load(path)

    def find(self, digest: bytes) -> Caller | None:
        """Whose token has a digest; always as long, whichever matches."""
        self._refresh()
        found = None
        for caller in self._callers:
            if hmac.compare_digest(caller.digest, digest):
                found = caller
        return found

    def _refresh(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._callers = load(self._path)
        except SettingsError as exc:
            self._callers = ()
            logger.error(  # noqa: TRY400 -- the sentence says it all
                "Tokens of the API cannot be read; nobody is let in until they can", extra={"error": str(exc)}
            )
        else:
            logger.info("Tokens of the API read anew", extra={"tokens": len(self._callers)})


def digest_of(token: str) -> bytes:
    """What a token is known by."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def load(path: Path) -> tuple[Caller, ...]:
    """The callers in a file; raises SettingsError, which shows no token."""
    try:
        text = text_file.read(path, max_bytes=MAX_FILE_BYTES)
    except TextFileError as exc:
        raise SettingsError(f"--api.token-file: {exc}") from exc
    numbered = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    callers = tuple(
        _caller(line, place=f"--api.token-file: {path}:{number}", number=number)
        for number, line in numbered
        if line and not line.startswith("#")
    )
    if not callers:
        raise SettingsError(f"--api.token-file: {path} holds no token; write one into it")
    for what, values in (("name", [c.name for c in callers]), ("token", [c.digest for c in callers])):
        if len(set(values)) < len(values):
            raise SettingsError(f"--api.token-file: {path} has the same {what} twice; change one")
    return callers


def _caller(line: str, *, place: str, number: int) -> Caller:
    word, colon, rest = line.partition(":")
    if not colon or word == "sha256":
        role, name, token = Role.ADMIN, "", line
    elif word in (role.value for role in Role):
        role = Role(word)
        before, colon, after = rest.partition(":")
        name, token = (before, after) if colon and before != "sha256" else ("", rest)
    else:
        # It may be a part of a token, so it is not shown.
        raise SettingsError(f"{place}: begins with no role; write {_words(r.value for r in Role)}")
    if name and not _NAME.fullmatch(name):
        raise SettingsError(f"{place}: the name may have 1 to 64 letters, digits, . _ @ -")
    return Caller(name=name or f"{role.value}#{number}", role=role, digest=_digest(token, place))


def _digest(token: str, place: str) -> bytes:
    hash_ = token.removeprefix("sha256:")
    if hash_ != token:
        if not _SHA256.fullmatch(hash_):
            raise SettingsError(f"{place}: behind sha256: stand 64 hexadecimal digits in lower case")
        return bytes.fromhex(hash_)
    if len(token) < MIN_TOKEN_CHARACTERS or not _TOKEN.fullmatch(token):
        raise SettingsError(
            f"{place}: a token has {MIN_TOKEN_CHARACTERS} or more of the characters A-Z a-z 0-9 . _ ~ + / -;"
            " make one with: openssl rand -hex 32"
        )
    return digest_of(token)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        return text_file.stamp(path)
    except TextFileError:
        return None


def _words(words: Iterable[str]) -> str:
    return ", ".join(words)
