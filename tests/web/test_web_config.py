"""TLS, basic authentication and headers by the web configuration file, over real sockets."""

import asyncio
import base64
import os
import re
import ssl
import threading
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import trustme
from aiohttp import ClientConnectionError, ClientSession, TCPConnector, web

from asynq_exporter.settings import SettingsError, resolve
from asynq_exporter.web import server, web_config
from asynq_exporter.web.web_config import WebGuard, openssl_name
from tests.conftest import free_port

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(rounds=4)).decode()

USERS = f"basic_auth_users:\n  anna: {HASH}\n"


@dataclass
class Guarded:
    """A served page behind a web configuration file."""

    base: str
    file: Path
    guard: WebGuard

    async def status(self, *, user: str = "", tls: ssl.SSLContext | None = None) -> int:
        """The status of a request, signed in as `user:password` when given."""
        return int((await self.get(user=user, tls=tls)).status)

    async def get(self, path: str = "", *, user: str = "", tls: ssl.SSLContext | None = None) -> Any:
        """A response, on a connection of its own."""
        headers = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()} if user else {}
        connector = TCPConnector(ssl=tls) if tls else TCPConnector()
        async with (
            ClientSession(connector=connector) as session,
            session.get(self.base + path, headers=headers) as response,
        ):
            await response.read()
            return response

    def rewrite(self, text: str) -> None:
        """Another version of the file, recognisably newer."""
        self.file.write_text(text)
        later = self.file.stat().st_mtime_ns + 10**9
        os.utime(self.file, ns=(later, later))


@asynccontextmanager
async def guarded(folder: Path, text: str) -> AsyncIterator[Guarded]:
    """Serves one page behind a file of a content."""
    file = folder / "web.yml"
    file.write_text(text)
    guard = WebGuard(file)
    app = web.Application(middlewares=[guard.middleware])

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="in")

    app.router.add_get("/", page)
    port = free_port()
    settings = resolve(flags={"web.listen-address": [f"127.0.0.1:{port}"]}).settings
    runner = await server.start(app, settings, tls=guard.tls.context if guard.tls else None)
    try:
        yield Guarded(f"{'https' if guard.tls else 'http'}://127.0.0.1:{port}/", file, guard)
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the certificates."""
    return trustme.CA()


@pytest.fixture
def tls_files(tmp_path: Path, authority: trustme.CA) -> Path:
    """A folder with a server's certificate and key, and the authority's certificate."""
    pair = authority.issue_cert("127.0.0.1")
    pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path


@pytest.fixture
def client_tls(authority: trustme.CA) -> Callable[..., ssl.SSLContext]:
    """Makes what a client trusts and shows."""

    def make(name: str | None = None, *, issuer: trustme.CA = authority) -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        if name is not None:
            issuer.issue_cert(name).configure_cert(context)
        return context

    return make


WRONG = ("anna:wrong", "anna:", "otto:secret", ":secret", "anna", "ann\xff:secret", "anna:" + "x" * 100)


async def test_only_users_get_in(tmp_path: Path) -> None:
    """The right password opens, everything else is 401 with a challenge."""
    async with guarded(tmp_path, USERS) as page:
        for _ in range(2):  # the second time from memory
            assert 200 == await page.status(user="anna:secret")
        for wrong in WRONG:
            assert 401 == await page.status(user=wrong)
        response = await page.get()

    assert 401 == response.status
    assert response.headers["WWW-Authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize("header", ["Bearer secret", "Basic", "Basic !!!", "basic ,", "Basic " + "A" * 4000])
async def test_malformed_credentials_are_refused(tmp_path: Path, header: str) -> None:
    """A header that holds no user and password is 401, not an error."""
    async with (
        guarded(tmp_path, USERS) as page,
        ClientSession() as session,
        session.get(page.base, headers={"Authorization": header}) as response,
    ):
        assert 401 == response.status


async def test_flood_of_guesses_is_turned_away(tmp_path: Path) -> None:
    """Beyond a number of checks that wait, guesses are 429; a known user still gets in."""
    slow = USERS.replace(HASH, bcrypt.hashpw(b"secret", bcrypt.gensalt(rounds=10)).decode())
    async with guarded(tmp_path, slow) as page:
        assert 200 == await page.status(user="anna:secret")
        statuses = await asyncio.gather(*[page.status(user=f"anna:{i}") for i in range(80)])

        assert {401, 429} == set(statuses)
        assert 200 == await page.status(user="anna:secret")


async def test_flood_does_not_keep_a_known_user_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has signed in before gets in while as many guesses wait as may."""
    release = threading.Event()
    async with guarded(tmp_path, USERS) as page:
        assert 200 == await page.status(user="anna:secret")
        monkeypatch.setattr(web_config, "_matches", lambda *_: release.wait() and False)
        waiting = web_config.MAX_WAITING
        guesses = [asyncio.create_task(page.status(user=f"anna:{i}")) for i in range(waiting + 1)]
        try:
            refused, _ = await asyncio.wait(guesses, return_when=asyncio.FIRST_COMPLETED)
            assert [429] == [guess.result() for guess in refused]
            assert 200 == await page.status(user="anna:secret")
        finally:
            release.set()
        assert [401] * waiting + [429] == sorted(await asyncio.gather(*guesses))


def test_unknown_names_cost_what_known_ones_do() -> None:
    """Every cost that the users have occurs, always the same for a name, and none is a hash of a user."""
    hashes = [bcrypt.hashpw(b"secret", bcrypt.gensalt(cost)).decode() for cost in (4, 5)]
    names = [f"name-{number}" for number in range(100)]

    made = [web_config.stand_in(name, hashes, salt=b"salt") for name in names]

    assert {"$2b$04", "$2b$05"} == {text[:6] for text in made}
    assert made == [web_config.stand_in(name, hashes, salt=b"salt") for name in names]
    assert not set(made) & set(hashes)
    assert not any(bcrypt.checkpw(b"secret", text.encode()) for text in set(made))


async def test_users_change_with_the_file(tmp_path: Path) -> None:
    """A user who is taken out is out at once; a broken file leaves the last good one in force."""
    async with guarded(tmp_path, USERS) as page:
        assert 200 == await page.status(user="anna:secret")
        page.rewrite(USERS.replace("anna", "otto"))
        assert (401, 200) == (await page.status(user="anna:secret"), await page.status(user="otto:secret"))
        page.rewrite("basic_auth_users: [broken")
        assert 200 == await page.status(user="otto:secret")
        page.file.unlink()
        assert 401 == await page.status(user="otto:wrong")


@pytest.mark.parametrize("text", ["", "basic_auth_users: {}\n", "http_server_config: {http2: true}\n"])
async def test_emptied_file_lets_nobody_in(tmp_path: Path, text: str) -> None:
    """An editor empties a file before it fills it: in between the users that there were count."""
    async with guarded(tmp_path, USERS) as page:
        page.rewrite(text)

        assert (401, 200) == (await page.status(), await page.status(user="anna:secret"))


async def test_headers_are_sent(tmp_path: Path) -> None:
    """Configured headers come with every answer, that of a missing page too."""
    text = "http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=60\n"
    async with guarded(tmp_path, text) as page:
        answers = [await page.get(), await page.get("none")]

    assert [200, 404] == [answer.status for answer in answers]
    assert ["max-age=60"] * 2 == [answer.headers["Strict-Transport-Security"] for answer in answers]


SUITE = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"

TLS = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n"


async def test_tls_serves_with_the_certificate(
    tls_files: Path, client_tls: Callable[..., ssl.SSLContext]
) -> None:
    """Paths are relative to the file; plain HTTP gets nothing."""
    async with guarded(tls_files, TLS) as page:
        assert 200 == await page.status(tls=client_tls())
        with pytest.raises(ClientConnectionError):
            async with ClientSession() as session, session.get(page.base.replace("https", "http")):
                pass


async def test_mutual_tls_wants_a_signed_certificate(
    tls_files: Path, client_tls: Callable[..., ssl.SSLContext]
) -> None:
    """Without one, or with one that somebody else signed, there is no connection; names can be limited."""
    mutual = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
    async with guarded(tls_files, mutual) as page:
        assert 200 == await page.status(tls=client_tls("prometheus.example"))
        for context in (client_tls(), client_tls("prometheus.example", issuer=trustme.CA())):
            with pytest.raises(ClientConnectionError):
                await page.status(tls=context)
    async with guarded(tls_files, mutual + "  client_allowed_sans: [prometheus.example]\n") as page:
        assert 200 == await page.status(tls=client_tls("prometheus.example"))
        assert 403 == await page.status(tls=client_tls("other.example"))


async def test_renewed_certificate_is_taken_up(
    tls_files: Path, authority: trustme.CA, client_tls: Callable[..., ssl.SSLContext]
) -> None:
    """A new pair is shown in the next handshake, without a restart; half a pair changes nothing."""
    async with guarded(tls_files, TLS) as page:
        before = await _certificate(page, client_tls())
        pair = authority.issue_cert("127.0.0.1")
        pair.cert_chain_pems[0].write_to_path(tls_files / "cert.pem")
        half = await _certificate(page, client_tls())
        pair.private_key_pem.write_to_path(tls_files / "key.pem")
        after = await _certificate(page, client_tls())

    assert before == half
    assert before != after


async def test_renewed_authority_is_taken_up(
    tls_files: Path, client_tls: Callable[..., ssl.SSLContext]
) -> None:
    """From the next handshake on the clients of the new authority get in, and those of the old one do not."""
    mutual = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
    new = trustme.CA()
    async with guarded(tls_files, mutual) as page:
        assert 200 == await page.status(tls=client_tls("prometheus.example"))
        new.cert_pem.write_to_path(tls_files / "ca.pem")
        later = (tls_files / "ca.pem").stat().st_mtime_ns + 10**9
        os.utime(tls_files / "ca.pem", ns=(later, later))

        assert 200 == await page.status(tls=client_tls("prometheus.example", issuer=new))
        with pytest.raises(ClientConnectionError):
            await page.status(tls=client_tls("prometheus.example"))


async def _certificate(page: Guarded, tls: ssl.SSLContext) -> bytes:
    port = int(page.base.rsplit(":", 1)[1].strip("/"))
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return shown


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("basic_auth_users:\n  anna: plain\n", 2, "no bcrypt hash"),
        ("basic_auth_user: {}\n", 1, "unknown key"),
        ("tls_server_config:\n  cert_file: cert.pem\n", 1, "key_file: is missing"),
        (TLS + "  min_version: SSL3\n", 4, "TLS12"),
        (TLS + "  client_auth_type: RequireAnyClientCert\n", 4, "RequireAndVerifyClientCert"),
        (TLS + "  client_auth_type: RequireAndVerifyClientCert\n", 4, "needs client_ca_file"),
        (TLS + "  client_ca_file: ca.pem\n", 4, "needs client_auth_type"),
        (TLS + f"  cipher_suites: [{SUITE}, NONSENSE]\n", 4, "'NONSENSE' is not known"),
        (TLS + "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", 4, "min_version: TLS13"),
        (TLS + "  curve_preferences: [X25519]\n", 4, "not supported"),
        (TLS + "  client_ca: text\n", 4, "write client_ca_file"),
        ("tls_server_config:\n  cert: text\n  key: text\n", 2, "write cert_file"),
        ("rate_limit:\n  interval: 1s\n", 1, "not supported"),
        ("http_server_config:\n  headers:\n    X-Frame-Options: any\n", 2, "deny or sameorigin"),
        ("http_server_config:\n  headers:\n    Set-Cookie: a\n", 3, "Set-Cookie"),
        ("a: b: c\n", 1, "not valid YAML"),
    ],
)
def test_bad_file_is_refused_with_its_line(tls_files: Path, text: str, line: int, words: str) -> None:
    """What is wrong and where, in one line."""
    file = tls_files / "web.yml"
    file.write_text(text)

    with pytest.raises(SettingsError) as caught:
        WebGuard(file)

    assert f"{file}:{line}: " in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("broken", ["cert.pem", "key.pem", "ca.pem"])
def test_unusable_tls_file_is_named(tls_files: Path, broken: str) -> None:
    """A file that holds something else, or is missing, is named with the reason."""
    (tls_files / "web.yml").write_text(
        TLS + "  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n"
    )
    (tls_files / broken).write_text("nonsense")
    with pytest.raises(SettingsError, match=broken):
        WebGuard(tls_files / "web.yml")
    (tls_files / broken).unlink()
    with pytest.raises(SettingsError, match="No such file"):
        WebGuard(tls_files / "web.yml")


def test_full_file_of_the_toolkit_is_understood(tls_files: Path) -> None:
    """A file as exporter-toolkit documents it, with every key that can be had here."""
    (tls_files / "web.yml").write_text(
        TLS
        + "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n"
        + "  min_version: TLS12\n  max_version: TLS13\n  prefer_server_cipher_suites: false\n"
        + f"  cipher_suites: [{SUITE}, TLS_AES_128_GCM_SHA256]\n"
        + "http_server_config:\n  http2: true\n"
        + USERS
    )

    assert {"anna": HASH} == web_config.load(tls_files / "web.yml").basic_auth_users
    tls = WebGuard(tls_files / "web.yml").tls
    assert tls is not None
    old = {each["name"] for each in tls.context.get_ciphers() if each["protocol"] != "TLSv1.3"}
    assert {openssl_name(SUITE)} == old


def test_defaults_of_tls_are_safe(tls_files: Path) -> None:
    """TLS 1.2 and newer, forward secrecy and authenticated encryption only, the server's choice."""
    (tls_files / "web.yml").write_text(TLS)
    tls = WebGuard(tls_files / "web.yml").tls
    assert tls is not None
    context = tls.context

    assert ssl.TLSVersion.TLSv1_2 == context.minimum_version
    assert context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert_strong(context)


def assert_strong(context: ssl.SSLContext) -> None:
    """No cipher suite without forward secrecy or authenticated encryption."""
    weak = [
        each["name"]
        for each in context.get_ciphers()
        if not re.match(r"TLS_|(ECDHE|DHE)-", each["name"])
        or not re.search(r"GCM|CHACHA20|CCM", each["name"])
    ]
    assert [] == weak


async def test_old_tls_is_refused(tls_files: Path, client_tls: Callable[..., ssl.SSLContext]) -> None:
    """A client that speaks no more than TLS 1.1 does not get in."""
    old = client_tls()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    async with guarded(tls_files, TLS) as page:
        with pytest.raises(ClientConnectionError):
            await page.status(tls=old)

        assert 200 == await page.status(tls=client_tls())


@pytest.mark.parametrize(
    ("go", "openssl"),
    [
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"),
        ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
    ],
)
def test_cipher_suites_have_go_names(go: str, openssl: str) -> None:
    """The file writes suites as Go does."""
    assert openssl == openssl_name(go)
