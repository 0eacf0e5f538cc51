"""The connection to Redis that the settings describe.

RESP2, bytes, no retries: a scan has a deadline of its own, and a second attempt would only hide a slow Redis.
"""

import ssl
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import redis.asyncio
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError, ResponseError

from asynq_exporter.settings import Settings, SettingsError, text_file
from asynq_exporter.settings.text_file import TextFileError

CLIENT_NAME = "asynq-exporter"

#: A password is a line; a bigger file is the wrong file.
MAX_PASSWORD_BYTES = 64 * 1024


def make_redis(settings: Settings, *, name: str = CLIENT_NAME) -> redis.asyncio.Redis:
    """A client with its own pool, and a name in `CLIENT LIST`; nothing is sent before the first command.

    Raises:
        SettingsError: the password file or a TLS file cannot be used.
    """
    check(settings)
    pool = redis.asyncio.ConnectionPool(**_connection_arguments(settings, name))
    return redis.asyncio.Redis.from_pool(pool)


def check(settings: Settings) -> None:
    """Reads the files that a connection will need; raises SettingsError with the remedy."""
    if settings.redis_password_file is not None:
        read_password(settings.redis_password_file)
    if settings.redis_url.tls:
        _TlsFiles(settings).context()


def safe_url(settings: Settings) -> str:
    """Where the exporter connects to, for logs and pages: no user, no password, the effective database."""
    return str(replace(settings.redis_url, db=_database(settings)))


def read_password(path: Path) -> str:
    """The password in a file, without the newline an editor leaves at its end; raises SettingsError."""
    try:
        text = text_file.read(path, max_bytes=MAX_PASSWORD_BYTES)
    except TextFileError as exc:
        raise SettingsError(f"--redis.password-file: {exc}") from exc
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SettingsError(f"--redis.password-file: {path} is empty; write the password into it")
    return text


class _PasswordFile(CredentialProvider):
    """Reads the file for each connection, so that a rotated password needs no restart."""

    def __init__(self, username: str | None, path: Path) -> None:
        self._username = username
        self._path = path

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        try:
            password = read_password(self._path)
        except SettingsError as exc:
            # By now the exporter runs: to its scans this is a Redis that cannot be reached.
            raise AuthenticationError(str(exc)) from exc
        return (self._username, password) if self._username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return self.get_credentials()


class _TlsFiles:
    """Makes the TLS context, anew whenever one of its files has changed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stamp: tuple[tuple[int, int], ...] = ()
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """The context for the files as they are now; raises SettingsError."""
        stamp = self._look()
        if self._context is None or stamp != self._stamp:
            self._context, self._stamp = self._load(), stamp
        return self._context

    def _look(self) -> tuple[tuple[int, int], ...]:
        names = ("ca_file", "cert_file", "key_file")
        stamp = []
        for name in names:
            path: Path | None = getattr(self._settings, f"redis_tls_{name}")
            if path is None:
                continue
            try:
                stamp.append(text_file.stamp(path))
            except TextFileError as exc:
                raise SettingsError(f"--redis.tls.{name.replace('_', '-')}: {exc}") from exc
        return tuple(stamp)

    def _load(self) -> ssl.SSLContext:
        s = self._settings
        try:
            context = ssl.create_default_context(cafile=s.redis_tls_ca_file)
        except (ssl.SSLError, ValueError) as exc:
            raise SettingsError(
                f"--redis.tls.ca-file: {s.redis_tls_ca_file} holds no certificates in PEM form"
            ) from exc
        if s.redis_tls_insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if s.redis_tls_cert_file is not None:
            try:
                # An empty password instead of a prompt on the terminal.
                context.load_cert_chain(s.redis_tls_cert_file, s.redis_tls_key_file, password="")
            except (ssl.SSLError, ValueError) as exc:
                raise SettingsError(
                    f"--redis.tls.cert-file: {s.redis_tls_cert_file} and --redis.tls.key-file:"
                    f" {s.redis_tls_key_file} are no pair of certificate and unencrypted key in PEM form"
                ) from exc
        return context


class _TlsConnection(SSLConnection):
    """A connection with our own context: redis-py's can neither name the server nor notice renewed files."""

    def __init__(self, *, files: _TlsFiles, server_name: str | None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._files = files
        self._server_name = server_name

    def _connection_arguments(self) -> Mapping[str, Any]:
        return {
            "host": self.host,
            "port": self.port,
            "ssl": self._files.context(),
            "server_hostname": self._server_name or self.host,
        }


def _connection_arguments(settings: Settings, name: str) -> dict[str, Any]:
    return {
        "db": _database(settings),
        "protocol": 2,
        "decode_responses": False,
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": settings.redis_connect_timeout_seconds,
        "socket_timeout": settings.scan_timeout_seconds,
        "redis_connect_func": partial(_greet, name=name),
        **_place(settings),
        **_credentials(settings),
    }


def _database(settings: Settings) -> int:
    return settings.redis_url.db if settings.redis_db is None else settings.redis_db


def _place(settings: Settings) -> dict[str, Any]:
    url = settings.redis_url
    if url.socket_path:
        return {"connection_class": UnixDomainSocketConnection, "path": url.socket_path}
    tcp = {"host": url.host, "port": url.port, "socket_keepalive": True}
    if not url.tls:
        return {"connection_class": Connection, **tcp}
    files, name = _TlsFiles(settings), settings.redis_tls_server_name
    return {"connection_class": _TlsConnection, "files": files, "server_name": name, **tcp}


def _credentials(settings: Settings) -> dict[str, Any]:
    username = settings.redis_username or settings.redis_url.username
    if settings.redis_password_file is not None:
        return {"credential_provider": _PasswordFile(username, settings.redis_password_file)}
    given = settings.redis_password
    return {"username": username, "password": given.reveal() if given else settings.redis_url.password}


async def _greet(connection: AbstractConnection, *, name: str) -> None:
    """Signs in, selects the database and, where the ACL allows it, names the client."""
    await connection.on_connect()
    await connection.send_command("CLIENT", "SETNAME", name, check_health=False)
    try:
        await connection.read_response()
    except ResponseError:
        # The name only helps whoever reads CLIENT LIST; a user with minimal rights works without.
        return
