"""Discord in memory, as one shard meets it: each step by hand, each word readable."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from zope.interface import implementer

from rateway.errors import FatalError
from rateway.interfaces import IDispatchSink, IFatalReporter, IIdentifyGate
from rateway.model.dispatch import Dispatch
from rateway.model.session import Session
from rateway.shard.protocol import GatewayConnection
from rateway.shard.service import ShardService
from rateway.shard.settings import ShardSettings

from .wire import BINARY, CLOSE, TEXT, Wire, accept_upgrade, close_frame, frame, plug

GENERAL = "wss://gateway.example"
HOME = "wss://home.example"
TOKEN = "very-secret-token"
SESSION = Session("very-secret-session", HOME, 10)
INTERVAL = 40.0


@implementer(IDispatchSink)
@define
class Sink:
    """Notes what it is given.

    :ivar meanwhile: called within each take.
    """

    takes: list[tuple[int, Session, list[Dispatch]]] = field(factory=list)
    forgotten: list[int] = field(factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def take(self, shard_id: int, session: Session, dispatches: Sequence[Dispatch]) -> None:
        self.takes.append((shard_id, session, list(dispatches)))
        self.meanwhile()

    def forget_session(self, shard_id: int) -> None:
        self.forgotten.append(shard_id)

    def names(self) -> list[str]:
        """The names of all events, in order."""
        return [name for _, _, dispatches in self.takes for _, name, _ in dispatches]

    def seqs(self) -> list[int]:
        """The sequences of all events, in order."""
        return [seq for _, _, dispatches in self.takes for seq, _, _ in dispatches]


@implementer(IIdentifyGate)
@define
class Gate:
    """Notes what it is told.

    :ivar generous: whether a permit is granted as it is asked for.
    """

    generous: bool = True
    told: list[str] = field(factory=list)
    waiting: list[Deferred[None]] = field(factory=list)

    def acquire(self, shard_id: int) -> Deferred[None]:
        self.told.append("acquire")
        if self.generous:
            return succeed(None)
        permit: Deferred[None] = Deferred(lambda _: self.told.append("cancel"))
        self.waiting.append(permit)
        return permit

    def used(self, shard_id: int) -> None:
        self.told.append("used")

    def settled(self, shard_id: int) -> None:
        self.told.append("settled")

    def give_back(self, shard_id: int) -> None:
        self.told.append("give_back")


@implementer(IFatalReporter)
@define
class Reporter:
    """Notes what is fatal."""

    errors: list[FatalError] = field(factory=list)

    def report_fatal(self, error: FatalError) -> None:
        self.errors.append(error)


@define(eq=False)
class Line:
    """Discord's end of one connection."""

    url: str
    protocol: GatewayConnection
    wire: Wire
    closes: list[int] = field(factory=list)
    encode: Callable[[bytes], tuple[bytes, int]] = lambda text: (text, TEXT)

    def accept(self) -> None:
        """Accept the upgrade."""
        request = self.wire.value()
        self.wire.clear()
        self.protocol.dataReceived(accept_upgrade(request))

    def raw(self, data: bytes) -> None:
        """These bytes, in one read."""
        self.protocol.dataReceived(data)

    def say(self, *payloads: dict[str, Any]) -> None:
        """These payloads, in one read."""
        self.raw(b"".join(frame(*self.encode(json.dumps(payload).encode())) for payload in payloads))

    def hello(self, interval: float = INTERVAL) -> None:
        """Op 10."""
        self.say({"op": 10, "d": {"heartbeat_interval": interval * 1000}})

    def heard(self) -> list[dict[str, Any]]:
        """The payloads sent to Discord since this was last asked; closes are noted."""
        payloads = []
        for opcode, payload in self.wire.sent():
            if opcode == TEXT:
                payloads.append(json.loads(payload))
            elif opcode == CLOSE:
                self.closes.append(int.from_bytes(payload[:2]))
        return payloads

    def closed_with(self) -> list[int]:
        """The codes this connection was closed with by the shard."""
        self.heard()
        return self.closes

    def close(self, code: int) -> None:
        """Discord closes, then the socket."""
        self.raw(close_frame(code))
        self.wire.lose()


def event(seq: int, name: str = "MESSAGE_CREATE", d: object = None) -> dict[str, Any]:
    """An event."""
    return {"t": name, "s": seq, "op": 0, "d": {"n": seq} if d is None else d}


def ready(seq: int = 1, session_id: str = "new-session") -> dict[str, Any]:
    """READY."""
    d = {
        "v": 10,
        "user": {"id": "1", "bot": True},
        "guilds": [],
        "session_id": session_id,
        "resume_gateway_url": HOME,
        "application": {"id": "1", "flags": 0},
    }
    return event(seq, "READY", d)


def resumed(seq: int) -> dict[str, Any]:
    """RESUMED."""
    return event(seq, "RESUMED", {})


@implementer(IStreamClientEndpoint)
@define(eq=False)
class Endpoint:
    """Leads to the Discord of the test."""

    _discord: Discord
    _url: str

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        return self._discord.dialled(self._url, factory)


class Discord:
    """A shard, and everything around it.

    :ivar refuses: hosts that refuse the connection.
    :ivar silent: hosts that neither refuse nor answer.
    """

    def __init__(
        self, session: Session | None = None, chance: float = 0.5, refill: bool = False, **settings: Any
    ) -> None:
        self.clock = Clock()
        self.sink, self.gate, self.fatal = Sink(), Gate(), Reporter()
        self.lines: list[Line] = []
        self.urls: list[str] = []
        self.refuses: set[str] = set()
        self.silent: set[str] = set()
        self.pending: list[tuple[Deferred[Any], Line]] = []
        known: dict[str, Any] = {
            "token": TOKEN,
            "intents": 1,
            "total": 16,
            "compression": "none",
            "presence": None,
            "gateway_url": GENERAL,
        }
        self.shard = ShardService(
            self.clock,
            7,
            ShardSettings(**{**known, **settings}),
            self.sink,
            self.gate,
            self.fatal,
            session,
            refill,
            lambda: chance,
            lambda url: Endpoint(self, url),
        )

    def dialled(self, url: str, factory: Any) -> Deferred[Any]:
        """The shard connects."""
        self.urls.append(url)
        host = url.split("/?")[0]
        if host in self.refuses:
            return fail(ConnectionRefusedError())
        protocol = factory.buildProtocol(None)
        assert isinstance(protocol, GatewayConnection)
        if host in self.silent:
            dialling: Deferred[Any] = Deferred()
            self.pending.append((dialling, Line(url, protocol, Wire())))
            return dialling
        self.lines.append(Line(url, protocol, plug(protocol)))
        return succeed(protocol)

    @property
    def line(self) -> Line:
        """The newest connection."""
        return self.lines[-1]

    def greet(self) -> Line:
        """Accept the newest connection, and say HELLO."""
        self.line.accept()
        self.line.hello()
        return self.line

    def next_line(self) -> Line:
        """The old connection is gone, the backoff over: greet the new one."""
        count = len(self.lines)
        for _ in range(600):
            self.clock.advance(0.1)
            if len(self.lines) > count:
                return self.greet()
        raise AssertionError(f"no connection in a minute, the shard is {self.shard.state}")


def active(**settings: Any) -> Discord:
    """A shard that resumed its session, and is active; nothing noted yet."""
    discord = Discord(SESSION, **settings)
    discord.shard.startService()
    discord.greet()
    discord.line.say(resumed(SESSION.seq + 1))
    discord.line.heard()
    discord.sink.takes.clear()
    assert discord.shard.state == "active"
    return discord


def binary(text: bytes) -> tuple[bytes, int]:
    """As a binary message."""
    return text, BINARY
