"""The connection to Redis that the settings describe.

RESP2, bytes, no retries: a scan has a deadline of its own, and a second attempt would only hide a slow Redis.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import redis.asyncio
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelManagedConnection
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError, ResponseError

from asynq_exporter.core.cluster import Address, ClusterClient
from asynq_exporter.scan.cluster import Cluster
from asynq_exporter.scan.route import Source
from asynq_exporter.scan.sentinel import SentinelPool, Sentinels
from asynq_exporter.settings import OPTIONS, Settings, SettingsError, text_file
from asynq_exporter.settings.redis_url import Topology
from asynq_exporter.settings.text_file import TextFileError

CLIENT_NAME = "asynq-exporter"

#: A password is a line; a bigger file is the wrong file.
MAX_PASSWORD_BYTES = 64 * 1024

PASSWORD_FILES = ("redis_password_file", "redis_sentinel_password_file", "api_redis_password_file")


def make_redis(settings: Settings, *, name: str = CLIENT_NAME) -> redis.asyncio.Redis:
    """A client with its own pool, and a name in `CLIENT LIST`; nothing is sent before the first command.

    Behind Sentinel it finds the present master for each new connection: who asks for it may want to write.

    Raises:
        SettingsError: the password file or a TLS file cannot be used.
    """
    source = make_source(replace(settings, redis_read_from="master"), name=name)
    return ClusterClient(source.seeds, client=source.client) if isinstance(source, Cluster) else source


def make_source(settings: Settings, *, name: str = CLIENT_NAME, target: str = "") -> Source:
    """What the exporter scans, whatever the topology; nothing is sent yet.

    Args:
        settings: the options.
        name: how it is called in `CLIENT LIST`.
        target: the name under which they stand in the config file, for the message.

    Raises:
        SettingsError: a password file or a TLS file cannot be used.
    """
    check(settings, target=target)
    url, from_replicas = settings.redis_url, settings.redis_read_from == "replica"
    if url.topology is Topology.CLUSTER:
        node = _cluster_node(settings, name, read_only=from_replicas)
        return Cluster(url.addresses, node, from_replicas=from_replicas)
    if url.topology is Topology.SENTINEL:
        return redis.asyncio.Redis.from_pool(_sentinel_pool(settings, name, is_master=not from_replicas))
    pool = redis.asyncio.ConnectionPool(**_connection_arguments(settings, name), **_place(settings))
    return redis.asyncio.Redis.from_pool(pool)


def make_api_redis(settings: Settings) -> redis.asyncio.Redis | None:
    """The same for the management API, where what the exporter reads will not do.

    That is so where the API has a user of its own, and where the exporter reads replicas.

    Raises:
        SettingsError: a file cannot be used.
    """
    if settings.api_token_file is None:
        return None
    if settings.api_redis_username is None:
        return None if settings.redis_url.topology is Topology.SINGLE else make_redis(settings)
    own = replace(
        settings,
        redis_username=settings.api_redis_username,
        redis_password_file=settings.api_redis_password_file,
        redis_password=None,
    )
    return make_redis(own)


def check(settings: Settings, *, target: str = "") -> None:
    """Reads the files that a connection will need; raises SettingsError with the remedy.

    Args:
        settings: the options.
        target: the name under which they stand in the config file, for the message.
    """
    try:
        for name in PASSWORD_FILES:
            if (path := getattr(settings, name)) is not None:
                read_password(path, option=OPTIONS[name].shown)
        if settings.redis_url.tls:
            _TlsFiles(settings).context()
    except SettingsError as exc:
        if not target:
            raise
        raise SettingsError(f"targets.{target}: {exc}") from exc


def safe_url(settings: Settings) -> str:
    """Where the exporter connects to, for logs and pages: no user, no password, the effective database."""
    return str(replace(settings.redis_url, db=_database(settings)))


def read_password(path: Path, *, option: str) -> str:
    """The password in a file, without the newline an editor leaves at its end; raises SettingsError."""
    try:
        text = text_file.read(path, max_bytes=MAX_PASSWORD_BYTES)
    except TextFileError as exc:
        raise SettingsError(f"{option}: {exc}") from exc
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SettingsError(f"{option}: {path} is empty; write the password into it")
    return text


class _PasswordFile(CredentialProvider):
    """Reads the file for each connection, so that a rotated password needs no restart."""

    def __init__(self, username: str | None, path: Path, *, option: str) -> None:
        self._username = username
        self._path = path
        self._option = option

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        try:
            password = read_password(self._path, option=self._option)
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


class _SentinelTlsConnection(SentinelManagedConnection, _TlsConnection):
    """The same to the node that Sentinel names."""


def _sentinel_pool(settings: Settings, name: str, *, is_master: bool) -> SentinelPool:
    """Connections to the master, or to a replica, that the Sentinels know."""
    # A Sentinel that hangs must leave time for the next one and for Redis.
    patience = {"socket_timeout": settings.redis_connect_timeout_seconds}
    ask = _common_arguments(settings) | patience | _sentinel_credentials(settings)
    ask["redis_connect_func"] = _sign_in
    sentinels = [
        redis.asyncio.Redis.from_pool(redis.asyncio.ConnectionPool(**ask, **_tcp(settings, address)))
        for address in settings.redis_url.addresses
    ]
    arguments = _connection_arguments(settings, name) | _tcp(settings, None)
    tls = settings.redis_url.tls
    arguments["connection_class"] = _SentinelTlsConnection if tls else SentinelManagedConnection
    pool: SentinelPool = SentinelPool(  # type: ignore[no-untyped-call]
        settings.redis_url.master, Sentinels(sentinels), is_master=is_master, **arguments
    )
    return pool


def _cluster_node(
    settings: Settings, name: str, *, read_only: bool
) -> Callable[[Address], redis.asyncio.Redis]:
    """How to talk to a node of a cluster."""
    arguments = _connection_arguments(settings, name)
    arguments["redis_connect_func"] = partial(_greet, name=name, read_only=read_only)
    # One context for all nodes.
    tcp = _tcp(settings, None)

    def client(address: Address) -> redis.asyncio.Redis:
        host, port = address
        pool = redis.asyncio.ConnectionPool(**arguments, **tcp, host=host, port=port)
        return redis.asyncio.Redis.from_pool(pool)

    return client


def _connection_arguments(settings: Settings, name: str) -> dict[str, Any]:
    return {
        **_common_arguments(settings),
        "db": _database(settings),
        "redis_connect_func": partial(_greet, name=name),
        **_credentials(settings),
    }


def _common_arguments(settings: Settings) -> dict[str, Any]:
    return {
        "protocol": 2,
        "decode_responses": False,
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": settings.redis_connect_timeout_seconds,
        "socket_timeout": settings.scan_timeout_seconds,
    }


def _database(settings: Settings) -> int:
    return settings.redis_url.db if settings.redis_db is None else settings.redis_db


def _place(settings: Settings) -> dict[str, Any]:
    url = settings.redis_url
    if url.socket_path:
        return {"connection_class": UnixDomainSocketConnection, "path": url.socket_path}
    return _tcp(settings, url.addresses[0])


def _tcp(settings: Settings, address: Address | None) -> dict[str, Any]:
    """How to connect over TCP; without an address, to one that is given later."""
    tcp: dict[str, Any] = {"socket_keepalive": True}
    if address is not None:
        tcp |= {"host": address[0], "port": address[1]}
    if not settings.redis_url.tls:
        return {"connection_class": Connection, **tcp}
    files, name = _TlsFiles(settings), settings.redis_tls_server_name
    return {"connection_class": _TlsConnection, "files": files, "server_name": name, **tcp}


def _credentials(settings: Settings) -> dict[str, Any]:
    url = settings.redis_url
    if url.topology is Topology.SENTINEL:
        # What stands in such a URL is for the Sentinels, as asynq reads it.
        url = replace(url, username=None, password=None)
    return _who(
        settings.redis_username or url.username,
        "redis_password_file",
        settings.redis_password_file,
        settings.redis_password.reveal() if settings.redis_password else url.password,
    )


def _sentinel_credentials(settings: Settings) -> dict[str, Any]:
    given = settings.redis_sentinel_password
    return _who(
        settings.redis_sentinel_username or settings.redis_url.username,
        "redis_sentinel_password_file",
        settings.redis_sentinel_password_file,
        given.reveal() if given else settings.redis_url.password,
    )


def _who(username: str | None, option: str, file: Path | None, password: str | None) -> dict[str, Any]:
    if file is not None:
        return {"credential_provider": _PasswordFile(username, file, option=OPTIONS[option].shown)}
    return {"username": username, "password": password}


async def _sign_in(connection: AbstractConnection) -> None:
    """Signs in and selects the database."""
    # What the library is called helps nobody, and a user with minimal rights may not say it.
    connection.driver_info = None
    await connection.on_connect()


async def _greet(connection: AbstractConnection, *, name: str, read_only: bool = False) -> None:
    """Signs in, selects the database and, where the ACL allows it, names the client.

    A replica in a cluster answers only those who say READONLY; a master does not mind.
    """
    await _sign_in(connection)
    if read_only:
        await connection.send_command("READONLY", check_health=False)
        await connection.read_response()
    await connection.send_command("CLIENT", "SETNAME", name, check_health=False)
    try:
        await connection.read_response()
    except ResponseError:
        # The name only helps whoever reads CLIENT LIST; a user with minimal rights works without.
        return
