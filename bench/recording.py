"""What a client sends to Redis, recorded on the way."""

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import hiredis

from asynq_exporter.scan.commands import pack

#: The words of a command.
Command = list[bytes]

READ_BYTES = 1 << 16


class Recorder:
    """Stands between clients and a Redis on loopback, and keeps what the clients send."""

    def __init__(self, redis_port: int) -> None:
        self._redis_port = redis_port
        self._sent: list[bytearray] = []
        self._sockets: list[socket.socket] = [socket.create_server(("127.0.0.1", 0))]
        self.port: int = self._sockets[0].getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def commands(self) -> list[Command]:
        """The commands since the last `forget`, one connection after the other."""
        return [command for sent in self._sent for command in parse(bytes(sent))]

    def forget(self) -> None:
        """Begins anew; only between two exchanges, for a command must not be cut in two."""
        for sent in self._sent:
            sent.clear()

    def close(self) -> None:
        """Ends all connections."""
        for sock in self._sockets:
            _shut(sock)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._sockets[0].accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._redis_port))
            self._sockets += [client, server]
            self._sent.append(bytearray())
            for source, target, kept in ((client, server, self._sent[-1]), (server, client, None)):
                target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=_pump, args=(source, target, kept), daemon=True).start()


def _shut(sock: socket.socket) -> None:
    # Closing alone would not wake a thread that waits on it.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


def _pump(source: socket.socket, target: socket.socket, kept: bytearray | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(READ_BYTES):
            if kept is not None:
                kept += data
            target.sendall(data)
    _shut(target)


@contextmanager
def recorder(redis_port: int) -> Iterator[Recorder]:
    """A recorder, closed at the end."""
    recording = Recorder(redis_port)
    try:
        yield recording
    finally:
        recording.close()


def parse(data: bytes) -> list[Command]:
    """The commands in what was sent."""
    reader = hiredis.Reader()
    reader.feed(data)
    return list(iter(reader.gets, False))  # noqa: FBT003 -- what it answers when no whole command is left


def on_the_wire(commands: Iterable[Command]) -> bytes:
    """The commands as they are sent."""
    return b"".join(pack(*command) for command in commands)
