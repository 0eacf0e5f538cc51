"""Certificates for servers that speak TLS, and which redis-server does."""

import os
from pathlib import Path

import trustme

from tests.conftest import need_tool

#: The name in the certificate of every server.
SERVER_NAME = "redis.internal"


def need_tls() -> str:
    """Folder of the first redis-server on PATH that speaks TLS; the demo's embedded one does not."""
    for folder in os.get_exec_path():
        program = Path(folder) / "redis-server"
        if program.is_file() and b"tls-cert-file" in program.read_bytes():
            return folder
    return str(Path(need_tool("redis-server-with-tls")).parent)


def issue(authority: trustme.CA, folder: Path) -> None:
    """Writes ca.pem, and certificate and key of a server and of a client."""
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, host in (("server", SERVER_NAME), ("client", "exporter")):
        pair = authority.issue_cert(host)
        pair.private_key_pem.write_to_path(folder / f"{name}.key")
        pair.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")


def server_options(folder: Path, port: int) -> tuple[str, ...]:
    """What makes a redis-server speak TLS on a port with those who show a signed certificate."""
    return (
        *("--tls-port", str(port), "--tls-cert-file", str(folder / "server.pem")),
        *("--tls-key-file", str(folder / "server.key"), "--tls-ca-cert-file", str(folder / "ca.pem")),
    )


def client_flags(folder: Path) -> dict[str, list[str]]:
    """The exporter's flags for such a server."""
    return {
        "redis.tls.ca-file": [str(folder / "ca.pem")],
        "redis.tls.cert-file": [str(folder / "client.pem")],
        "redis.tls.key-file": [str(folder / "client.key")],
        "redis.tls.server-name": [SERVER_NAME],
    }
