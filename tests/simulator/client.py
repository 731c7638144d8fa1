"""A raw gateway client: it sends what it is told, decodes what comes, and obeys no rule by itself."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any, cast

import zstandard
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.trial.unittest import TestCase

from rateway.model.intents import ALL
from rateway.simulator.options import SimulatorOptions
from rateway.simulator.simulator import Simulator
from tests.support.waiting import PATIENCE

Payload = dict[str, Any]
TOKEN = "simulator-token"


def the_reactor() -> Any:
    """The reactor that trial runs."""
    from twisted.internet import reactor

    return reactor


class RawClient(WebSocketClientProtocol):
    """One connection; ``payloads`` is what came, ``messages`` the WebSocket messages it came in, ``chunks`` the bytes
    as the socket gave them."""

    _waiters: list[tuple[Callable[[], object], Deferred[Any]]]

    def __init__(self) -> None:
        super().__init__()
        self.payloads: list[Payload] = []
        self.messages: list[tuple[bytes, bool]] = []
        self.chunks: list[bytes] = []
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.ended = False
        self.opened = False
        self.compress: str | None = None
        self._waiters = []
        self._buffer = b""
        self._zlib = zlib.decompressobj()
        self._zstd = zstandard.ZstdDecompressor().decompressobj()

    def dataReceived(self, data: bytes) -> None:
        self.chunks.append(data)
        super().dataReceived(data)
        self._happened()

    def onOpen(self) -> None:
        self.opened = True
        self._happened()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.messages.append((payload, isBinary))
        text = self._decode(payload)
        if text is not None:
            try:
                self.payloads.append(json.loads(text))
            except ValueError:
                self.payloads.append({"broken": text})
        self._happened()

    def _decode(self, payload: bytes) -> bytes | None:
        if self.compress == "zstd-stream":
            return self._zstd.decompress(payload)
        if self.compress == "zlib-stream":
            self._buffer += payload
            if not self._buffer.endswith(b"\x00\x00\xff\xff"):
                return None
            data, self._buffer = self._buffer, b""
            try:
                return self._zlib.decompress(data)
            except zlib.error:
                return b"corrupt"
        return zlib.decompress(payload) if payload[:1] == b"\x78" else payload

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> Any:
        self.close_code, self.close_reason = code, (reasonRaw or b"").decode()
        return super().onCloseFrame(code, reasonRaw)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.ended = True
        self._happened()

    # --- for tests

    def _happened(self) -> None:
        for entry in tuple(self._waiters):
            predicate, result = entry
            value = predicate()
            if value and not result.called:
                self._waiters.remove(entry)
                result.callback(value)

    def until(self, predicate: Callable[[], object], timeout: float = PATIENCE) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self._waiters.append((predicate, result))
        result.addTimeout(timeout, the_reactor())
        self._happened()
        return result

    def first(self, name_or_op: str | int) -> Deferred[Payload]:
        """The first payload with this event name or (for what is no dispatch) op."""
        return self.until(lambda: next(iter(self.all(name_or_op)), None))

    def count(self, name: str, wanted: int, timeout: float = PATIENCE) -> Deferred[Any]:
        """So many events of this name have come."""
        return self.until(lambda: len(self.all(name)) >= wanted, timeout)

    def all(self, name_or_op: str | int) -> list[Payload]:
        key = "t" if isinstance(name_or_op, str) else "op"
        return [payload for payload in self.payloads if payload.get(key) == name_or_op]

    def chunked(self, wanted: int) -> Deferred[Any]:
        """The socket has given so many chunks."""
        return self.until(lambda: len(self.chunks) >= wanted)

    def end(self) -> Deferred[Any]:
        """The connection is gone."""
        return self.until(lambda: self.ended)

    def tell(self, op: int, d: object) -> None:
        self.say(json.dumps({"op": op, "d": d}).encode())

    def say(self, data: bytes, binary: bool = False) -> None:
        self.sendMessage(data, binary)

    def identify(self, shard: int = 0, total: int = 1, **more: object) -> None:
        d: Payload = {
            "token": TOKEN,
            "intents": int(ALL),
            "properties": {"os": "linux", "browser": "raw", "device": "raw"},
            "shard": [shard, total],
            "large_threshold": 250,
        }
        d.update(more)
        self.tell(2, {key: value for key, value in d.items() if value is not ...})

    def resume(self, session_id: str, seq: int, token: str = TOKEN) -> None:
        self.tell(6, {"token": token, "session_id": session_id, "seq": seq})


class SimulatorTestCase(TestCase):
    """A test with a simulator and raw clients, all ended afterwards."""

    timeout = 300

    async def start(self, **options: Any) -> Simulator:
        options = {"identify_window": 0.0, **options}
        simulator = Simulator(the_reactor(), SimulatorOptions(**options))
        await simulator.start()

        def stop() -> Deferred[None]:
            return Deferred.fromCoroutine(simulator.stop())

        self.addCleanup(stop)
        return simulator

    async def connect(
        self,
        simulator: Simulator,
        query: str = "?v=10&encoding=json",
        host: str = "127.0.0.1",
        compress: str | None = None,
    ) -> RawClient:
        if compress:
            query += f"&compress={compress}"
        factory = WebSocketClientFactory(f"ws://{host}:{simulator.port}/{query}", reactor=the_reactor())
        factory.protocol = RawClient
        factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0, serverConnectionDropTimeout=0)
        client = cast(RawClient, await HostnameEndpoint(the_reactor(), host, simulator.port).connect(factory))
        client.compress = compress
        self.addCleanup(self._drop, client)
        return client

    @staticmethod
    def _drop(client: RawClient) -> Deferred[Any] | None:
        if client.ended or client.transport is None:
            return None
        client.transport.abortConnection()
        return client.end()

    async def ready(self, simulator: Simulator, shard: int = 0, total: int = 1, **more: Any) -> RawClient:
        """A client that has identified and got READY."""
        compress = more.pop("transport", None)
        client = await self.connect(simulator, compress=compress)
        await client.first(10)
        client.identify(shard, total, **more)
        await client.first("READY")
        return client
