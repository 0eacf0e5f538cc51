"""A bad network: a TCP proxy before Redis that cuts, delays, stalls, drips and refuses."""

import contextlib
import random
import socket
import threading
import time
from dataclasses import dataclass

CHUNK = 1 << 16


@dataclass(slots=True)
class Weather:
    """How the network is at the moment; changed while connections stand."""

    #: Added to every piece of data, each way.
    delay_seconds: float = 0.0
    #: Chance that a piece is lost and comes only with its retransmission.
    loss: float = 0.0
    retransmission_seconds: float = 0.2
    #: Bytes at a time.
    chunk: int = CHUNK
    #: Nothing gets through; connections stand.
    stalled: bool = False
    #: Nobody gets in.
    refused: bool = False
    #: Cut after so many more bytes of replies.
    cut_after: int | None = None


class Proxy:
    """Forwards connections to a port of loopback, as well as the weather lets it."""

    def __init__(self, port: int) -> None:
        self.weather = Weather()
        self._upstream = port
        self._random = random.Random(7)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cuts every connection."""
        for pair in list(self._pairs):
            self._close(pair)

    def close(self) -> None:
        """Ends it all."""
        self._over.set()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.weather.refused:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = (client, server)
            self._pairs.append(pair)
            threading.Thread(target=self._pump, args=(pair, client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(pair, server, client, True), daemon=True).start()

    def _pump(
        self,
        pair: tuple[socket.socket, socket.socket],
        source: socket.socket,
        target: socket.socket,
        is_reply: bool,
    ) -> None:
        try:
            while data := source.recv(self.weather.chunk):
                self._wait()
                if is_reply and (left := self.weather.cut_after) is not None:
                    data = data[:left]
                    self.weather.cut_after = left - len(data)
                    target.sendall(data)
                    if self.weather.cut_after == 0:
                        self.weather.cut_after = None
                        break
                    continue
                target.sendall(data)
        except OSError:
            pass
        finally:
            self._close(pair)

    def _wait(self) -> None:
        weather = self.weather
        if weather.delay_seconds:
            time.sleep(weather.delay_seconds)
        if weather.loss and self._random.random() < weather.loss:
            time.sleep(weather.retransmission_seconds)
        while weather.stalled and not self._over.wait(0.02):
            pass

    def _close(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with contextlib.suppress(ValueError):
            self._pairs.remove(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
