"""The web configuration file of Prometheus exporters: TLS, basic authentication, response headers.

The format is that of exporter-toolkit, so one file serves all exporters of a machine. Users and headers are
read anew when the file changes, certificates when they do; a new version that is broken, or that would let
everybody in, leaves the old one in force.
What cannot be had here is refused, not ignored, where ignoring it would weaken security.
"""

import asyncio
import base64
import binascii
import hashlib
import logging
import re
import secrets
import ssl
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import bcrypt
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from asynq_exporter.settings import SettingsError, yaml_document
from asynq_exporter.settings.yaml_document import Problem

logger = logging.getLogger(__name__)

#: Passwords that were right, by a hash; bcrypt takes as long as a large scan.
MAX_REMEMBERED = 100

#: Checks under way and waiting; a flood of guesses beyond is turned away.
MAX_WAITING = 32

VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
VERIFICATION = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}

#: What exporter-toolkit knows and this exporter does not, with what to write instead.
UNSUPPORTED = {
    ("rate_limit",): "limits of requests are not supported; put a proxy in front",
    ("tls_server_config", "cert"): "certificates in the file itself are not supported; write cert_file",
    ("tls_server_config", "key"): "keys in the file itself are not supported; write key_file",
    (
        "tls_server_config",
        "client_ca",
    ): "certificates in the file itself are not supported; write client_ca_file",
    ("tls_server_config", "curve_preferences"): "choosing curves is not supported; remove it",
}

#: Headers whose values exporter-toolkit limits.
HEADER_VALUES = {"X-Frame-Options": ("deny", "sameorigin"), "X-Content-Type-Options": ("nosniff",)}

#: The headers that exporter-toolkit lets a file set.
Header = Literal[
    "Content-Security-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "X-XSS-Protection",
    "Strict-Transport-Security",
]

#: Of TLS 1.2 those with forward secrecy and authenticated encryption; every client of today has one of them.
STRONG_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"

_TLS13_SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")

Version = Literal["TLS10", "TLS11", "TLS12", "TLS13"]


def _verifiable(value: str) -> str:
    if value in ("RequestClientCert", "RequireAnyClientCert"):
        raise ValueError(
            f"{value} accepts certificates that nobody signed, which is not supported;"
            " write RequireAndVerifyClientCert"
        )
    if value not in VERIFICATION:
        raise ValueError(f"{value!r} is unknown; write {', '.join(VERIFICATION)}")
    return value


def _bcrypt_hash(value: str) -> str:
    if not re.fullmatch(r"\$2[aby]\$(0[4-9]|1\d|2\d)\$[./A-Za-z0-9]{53}", value):
        raise ValueError("is no bcrypt hash; make one with: htpasswd -nBC 10 USER")
    return value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line")
    return value


def _known_values(headers: dict[str, str]) -> dict[str, str]:
    for name, allowed in HEADER_VALUES.items():
        if headers.get(name, allowed[0]) not in allowed:
            raise ValueError(f"{name} must be {' or '.join(allowed)}")
    return headers


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tls(_Section):
    """The server's side of TLS."""

    cert_file: str
    key_file: str
    client_auth_type: Annotated[str, AfterValidator(_verifiable)] = "NoClientCert"
    client_ca_file: str | None = None
    client_allowed_sans: list[str] = []
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    #: In Go's names; TLS 1.3 chooses for itself.
    cipher_suites: list[str] = []
    prefer_server_cipher_suites: bool = True


class Http(_Section):
    """How pages are sent."""

    #: HTTP/1.1 is what is spoken; a client that may use HTTP/2 falls back by itself.
    http2: bool = True
    headers: Annotated[
        dict[Header, Annotated[str, AfterValidator(_one_line)]], AfterValidator(_known_values)
    ] = {}


class WebConfig(_Section):
    """The whole file."""

    tls_server_config: Tls | None = None
    http_server_config: Http = Field(default_factory=Http)
    basic_auth_users: dict[str, Annotated[str, AfterValidator(_bcrypt_hash)]] = Field(default={}, repr=False)


def load(path: Path) -> WebConfig:
    """The file at a path.

    Raises:
        SettingsError: what is wrong with it, and in which line.
    """
    document = yaml_document.read(path)
    if asked := [
        Problem(location=at, sentence=why) for at, why in UNSUPPORTED.items() if at in document.lines
    ]:
        raise document.error(asked)
    try:
        return WebConfig.model_validate(document.data)
    except ValidationError as exc:
        raise document.error(yaml_document.problems_of(exc.errors(), model=WebConfig)) from exc


class WebGuard:
    """What the file asks for, kept up to date: a TLS context, and a middleware."""

    def __init__(self, path: Path, *, without_users: str | None = None) -> None:
        """Reads the file; raises SettingsError.

        Paths that begin with `without_users` are not asked for a user: they have tokens of their own in the
        same header.
        """
        self._path = path
        self._without_users = without_users
        self._stamp = _stamp(path)
        self._config = load(path)
        self._remembered: OrderedDict[bytes, None] = OrderedDict()
        self._salt = secrets.token_bytes(16)
        self._checking = asyncio.Semaphore(1)
        self._waiting = 0
        self.tls = (
            _ServerTls(path, self._config.tls_server_config) if self._config.tls_server_config else None
        )

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lets in who may, and sends the configured headers."""
        self._refresh()
        headers = {str(name): value for name, value in self._config.http_server_config.headers.items()}
        try:
            response = await self._refuse(request) or await handler(request)
        except web.HTTPException as exc:  # a page that does not exist has its headers too
            exc.headers.update(headers)
            raise
        response.headers.update(headers)
        return response

    async def _refuse(self, request: web.Request) -> web.Response | None:
        if self.tls is not None and not self.tls.allows(request):
            return web.Response(status=403, text="This client certificate is not allowed.\n")
        users = self._config.basic_auth_users
        if not users or (self._without_users and request.path.startswith(self._without_users)):
            return None
        user, password = _credentials(request.headers.get("Authorization", ""))
        expected = users.get(user) or stand_in(user, tuple(users.values()), salt=self._salt)
        key = hashlib.sha256(b"\0".join((user.encode(), expected.encode(), password))).digest()
        # Before any limit: whoever floods us with guesses must not keep Prometheus out.
        if key in self._remembered:
            self._remembered.move_to_end(key)
            return None
        if self._waiting >= MAX_WAITING:
            return web.Response(
                status=429, text="Too many attempts to sign in.\n", headers={"Retry-After": "5"}
            )
        if await self._check(password, expected) and user in users:
            self._remember(key)
            return None
        return web.Response(
            status=401, text="Unauthorized\n", headers={"WWW-Authenticate": 'Basic realm="asynq-exporter"'}
        )

    async def _check(self, password: bytes, expected: str) -> bool:
        self._waiting += 1
        try:
            async with self._checking:
                return await asyncio.to_thread(_matches, password, expected)
        finally:
            self._waiting -= 1

    def _remember(self, key: bytes) -> None:
        self._remembered[key] = None
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)

    def _refresh(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            config = load(self._path)
        except SettingsError as exc:
            logger.warning(
                "Web configuration is broken; the old one stays in force", extra={"error": str(exc)}
            )
            return
        if self._config.basic_auth_users and not config.basic_auth_users:
            # As in the moment in which an editor has emptied the file.
            logger.warning(
                "Web configuration has no users any more; the old one stays in force until a restart"
            )
            return
        self._config = config
        logger.info("Web configuration read anew; changes of TLS settings need a restart")


class _ServerTls:
    """A TLS context that takes up renewed certificates."""

    def __init__(self, path: Path, tls: Tls) -> None:
        self._path = path
        self._tls = tls
        self._cert, self._key = path.parent / tls.cert_file, path.parent / tls.key_file
        self._authority = path.parent / tls.client_ca_file if tls.client_ca_file is not None else None
        #: What the sockets were opened with; each handshake moves on to the current one.
        self.context = self._current = self._make()
        self._stamps = self._look()
        self.context.sni_callback = self._renew

    def allows(self, request: web.Request) -> bool:
        """Whether the client's certificate carries one of the allowed names, where there is such a list."""
        allowed = set(self._tls.client_allowed_sans)
        if not allowed:
            return True
        certificate = request.transport.get_extra_info("peercert") if request.transport else None
        names = {value for _, value in (certificate or {}).get("subjectAltName", ())}
        return bool(allowed & names)

    def _make(self) -> ssl.SSLContext:
        tls = self._tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = VERSIONS[tls.min_version]
        context.maximum_version = VERSIONS[tls.max_version]
        if not tls.prefer_server_cipher_suites:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        if tls.cipher_suites:
            self._choose_suites(context)
        elif context.minimum_version >= ssl.TLSVersion.TLSv1_2:
            context.set_ciphers(STRONG_SUITES)
        self._load_pair(context)
        context.verify_mode = VERIFICATION[tls.client_auth_type]
        if self._authority is None and context.verify_mode is not ssl.CERT_NONE:
            raise self._error("client_auth_type", f"{tls.client_auth_type} needs client_ca_file too")
        if self._authority is not None:
            # Ignored, it would let a user believe that clients are checked.
            if context.verify_mode is ssl.CERT_NONE:
                raise self._error(
                    "client_ca_file", "needs client_auth_type too; write RequireAndVerifyClientCert"
                )
            self._load_authority(context, self._authority)
        if tls.client_allowed_sans and context.verify_mode is not ssl.CERT_REQUIRED:
            raise self._error("client_allowed_sans", "needs client_auth_type: RequireAndVerifyClientCert")
        return context

    def _choose_suites(self, context: ssl.SSLContext) -> None:
        # TLS 1.3 chooses for itself; shortened, its names would be those of weak suites of TLS 1.2.
        names = [name for name in self._tls.cipher_suites if name not in _TLS13_SUITES]
        for name in names:
            try:
                context.set_ciphers(openssl_name(name))
            except ssl.SSLError as exc:  # of a list OpenSSL drops what it does not know without a word
                raise self._error("cipher_suites", f"{name!r} is not known here") from exc
        if not names:
            raise self._error("cipher_suites", "names none of TLS 1.2; write min_version: TLS13 instead")
        context.set_ciphers(":".join(map(openssl_name, names)))

    def _load_pair(self, context: ssl.SSLContext) -> None:
        try:
            # An empty password instead of a prompt on the terminal.
            context.load_cert_chain(self._cert, self._key, password="")
        except OSError as exc:  # also what ssl raises
            reason = (
                exc.strerror
                if not isinstance(exc, ssl.SSLError)
                else "they are no unencrypted pair in PEM form"
            )
            raise self._error("cert_file", f"cannot use {self._cert} and {self._key}: {reason}") from exc

    def _load_authority(self, context: ssl.SSLContext, path: Path) -> None:
        try:
            context.load_verify_locations(path)
        except OSError as exc:
            reason = (
                exc.strerror if not isinstance(exc, ssl.SSLError) else "it holds no certificates in PEM form"
            )
            raise self._error("client_ca_file", f"cannot use {path}: {reason}") from exc

    def _error(self, key: str, sentence: str) -> SettingsError:
        document = yaml_document.read(self._path)
        return document.error([Problem(location=("tls_server_config", key), sentence=sentence)])

    def _renew(self, connection: ssl.SSLObject, _name: str, _context: ssl.SSLContext) -> None:
        """Before each handshake: takes up certificates that have changed."""
        stamps = self._look()
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._current = self._make()
            except SettingsError as exc:
                logger.warning("New certificate cannot be used; the old one stays", extra={"error": str(exc)})
            else:
                logger.info("Certificate read anew")
        connection.context = self._current

    def _look(self) -> tuple[Any, ...]:
        return tuple(_stamp(path) for path in (self._cert, self._key, self._authority) if path is not None)


def openssl_name(go_name: str) -> str:
    """A cipher suite of TLS 1.2 under the name OpenSSL has for Go's."""
    name = go_name.removeprefix("TLS_").replace("_WITH_", "_").replace("AES_", "AES")
    name = name.replace("_CBC_", "_").replace("_", "-")
    return name.replace("CHACHA20-POLY1305-SHA256", "CHACHA20-POLY1305")


def stand_in(user: str, hashes: Sequence[str], *, salt: bytes) -> str:
    """A hash that no password has, for a name that does not exist: checking it takes as long as a real one.

    Which one's cost it has depends on the name, so that no cost tells whether a name exists.
    """
    number = hashlib.blake2b(user.encode(), key=salt, digest_size=4).digest()
    return hashes[int.from_bytes(number) % len(hashes)][:29] + "." * 31


def _credentials(authorization: str) -> tuple[str, bytes]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", b""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).partition(b":")
        return user.decode(), password
    except (binascii.Error, UnicodeDecodeError):
        return "", b""


def _matches(password: bytes, expected: str) -> bool:
    try:
        return bcrypt.checkpw(password, expected.encode())
    except ValueError:  # longer than bcrypt can tell apart, or with a zero byte
        return False


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
