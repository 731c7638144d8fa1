"""One gateway connection, above the WebSocket: HELLO, heartbeats, limits, and whom each payload goes to.

It knows no socket: a ``Wire`` carries its messages, the hub's clock tells it the time.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from twisted.logger import Logger

from rateway.model.closecodes import close_reason

from ..hub import Hub
from ..records import ClientClose, Connected, Frame
from . import commands, handshake, replay
from .behaviour import Behaviour, Drop
from .encoding import make_encoder
from .outlet import Outlet, Wire
from .rules import PAYLOAD_LIMIT, SlidingLimit
from .sessions import GatewaySession

_LEAST_SLACK = 1.0
"""Seconds a heartbeat may be late at least, whatever the interval."""

_ENDS_SESSION = {4003, 4004, 4006, 4007, 4009, 4010, 4011, 4012, 4013, 4014}
"""Close codes of ours after which there is nothing left to resume."""

_DOCUMENTED = {1, 2, 3, 4, 6, 8, 31, 43}

_PRESENCES = (5, 20.0)
"""Presence updates a client may send, and in how many seconds."""

_decode = msgspec.json.Decoder().decode


class Connection(Outlet):
    """The server's end of one connection.

    :ivar record: what the journal keeps of it.
    :ivar session: the session it identified or resumed, None before.
    :ivar served: READY or RESUMED was sent on it; ``proven``: the client showed that it came.
    """

    _log = Logger()

    def __init__(self, hub: Hub, wire: Wire, record: Connected, behaviour: Behaviour) -> None:
        super().__init__(wire, behaviour)
        self.hub = hub
        self.record = record
        self.session: GatewaySession | None = None
        self._offered: GatewaySession | None = None
        self.identified = False
        self.served = False
        self.proven = False
        self.presences = SlidingLimit(*_PRESENCES)
        self.interval = behaviour.interval or hub.options.heartbeat_interval
        self._sends = SlidingLimit(hub.options.send_limit, hub.options.send_window)
        self._last_beat = hub.now()
        self._hard = False

    @property
    def number(self) -> int:
        return self.record.number

    @property
    def shard(self) -> int | None:
        return self.record.shard

    # --- its life

    def opened(self) -> None:
        """The WebSocket stands."""
        query = self.record.query
        if query.get("v") != "10":
            self.refuse(4012, "api-version", f"v is {query.get('v')!r}, not 10")
            return
        encoder = make_encoder(query.get("compress"))
        if query.get("encoding", "json") != "json" or encoder is None:
            self.refuse(4012, "query", f"encoding or compress is not offered: {dict(query)}")
            return
        self.encoder = encoder
        for op, d in self.behaviour.first:
            self.control(op, d)
        if self.behaviour.hello:
            if self.behaviour.hello_delay:
                self.hub.later(self.behaviour.hello_delay, self._greet)
            else:
                self._greet()

    def _greet(self) -> None:
        if self.over:
            return
        trace = ['["gateway-sim-1",{"micros":0.0}]']
        self.control(10, {"heartbeat_interval": round(self.interval * 1000), "_trace": trace})
        self._last_beat = self.record.greeted_at = self.hub.now()
        self.record.interval = self.interval
        self._watch()

    def _watch(self) -> None:
        """Look again when the next heartbeat must have come."""
        slack = max(self.interval * self.hub.options.heartbeat_slack, _LEAST_SLACK)
        due = self._last_beat + self.interval + slack

        def look(*, surely: bool = False) -> None:
            if self.over:
                return
            late = self.hub.now() - (self._last_beat + self.interval + slack)
            if self.is_deaf or self.swallowed:
                self._last_beat = self.hub.now()
            elif late >= 0 and not surely:
                # The simulator may have been busy itself: what has come meanwhile is read before anybody is judged.
                self.hub.later(0, lambda: look(surely=True))
                return
            elif late >= 0:
                self.refuse(4000, "late-heartbeat", f"none for {self.interval + slack + late:.3f} s")
                return
            self._watch()

        self.hub.later(max(0.001, due - self.hub.now()), look)

    def client_closed(self, code: int | None, reason: str) -> None:
        """The client sent a close frame of its own accord: 1000 and 1001 end the session."""
        self.record.client_code = code
        journal = self.hub.journal
        journal.keep("closes", journal.closes, ClientClose(self.number, self.shard, code, reason, self.hub.now()))
        session = self.session or self._offered
        if session is not None and code in (1000, 1001) and self.hub.sessions.find(session.id, self.hub.world_time()):
            self.hub.waste(session, f"closed with {code}")

    def lost(self) -> None:
        """The TCP connection is gone."""
        if self.session is not None and not (self.over or self.proven) and self.record.client_code is None:
            # A client that went without a word may have been gone before READY came.
            self.session.unseen = True
        self.over = True
        if self.record.lost_at is None:
            self.record.lost_at = self.hub.now()
            self._log.info(
                "connection {number} of shard {shard} ended after {duration:.3f} s (its code {client}, ours {server})",
                duration=self.record.lost_at - self.record.at,
                number=self.number,
                shard=self.shard,
                client=self.record.client_code,
                server=self.record.server_code,
            )
        self.hub.connections.pop(self.number, None)
        self.detach()
        usual = self.behaviour == Behaviour() and self.record.server_code is None and not self._hard
        self.hub.resumption.ended(self.record, self.hub.now(), served=self.served, usual=usual)
        self.hub.journal.happened()

    def detach(self) -> None:
        """The session goes on without this connection, kept for a RESUME."""
        session, self.session = self.session, None
        odd = self._hard or self.is_frozen or self.behaviour != Behaviour()
        if session is not None and odd and not self.proven:
            session.unseen = True
        if session is not None and session.connection in (self, None):
            if session.connection is self and not self.is_frozen and not self.swallowed:
                session.told = session.seq
            session.connection = None
            session.detached_at = self.hub.now()
            session.left_at = self.hub.world_time()

    def close(self, code: int | None, reason: str | None = None) -> None:
        """Send a close frame, without a code where it is None; some codes end the session."""
        if self.over:
            return
        self.over = True
        if self.session is not None and code in _ENDS_SESSION:
            self.hub.sessions.end(self.session)
        self.detach()
        if not self.swallowed:
            self.record.server_code = code
            self.wire.read(True)
            words = close_reason(code).meaning if reason is None and code is not None else reason
            self.wire.send_close(code, words or "")
        self.hub.journal.happened()

    def refuse(self, code: int, rule: str, detail: str, reason: str | None = None) -> None:
        """The client broke a rule: record it, and close as Discord does."""
        self.hub.breach(rule, self.shard, detail)
        self.close(code, reason)

    def invalidate(self, resumable: bool) -> None:
        """Op 9: the client may RESUME or IDENTIFY anew, on this connection or on another."""
        if self.session is not None and not resumable:
            self.hub.sessions.end(self.session)
        self._offered = self.session if resumable else None
        self.detach()
        self.identified = False
        self.control(9, resumable)

    def drop(self, how: Drop) -> None:
        """End the TCP connection without a close frame; ``blackhole`` doesn't end it, but loses what goes over it."""
        self._hard = how != "fin"
        if how == "blackhole":
            if self.session is not None and not self.swallowed:
                self.session.told = self.session.seq
            self.swallowed = True
            self.wire.read(False)
            return
        if not self.over:
            self.over = True
            self.detach()
        self.swallowed = False
        self.wire.drop(how)

    def freeze(self, *, deaf: bool = False) -> None:
        """Send nothing more (it waits); with ``deaf``, stop reading too."""
        if not self.is_frozen and self.session is not None:
            self.session.told = self.session.seq
        super().freeze(deaf=deaf)

    # --- receiving

    def received(self, data: bytes) -> None:
        """One message of the client's; text and binary ones are read alike."""
        if self.over:
            return
        op, d, trouble = _read(data)
        self._keep(op, d, len(data))
        if len(data) > PAYLOAD_LIMIT:
            self.refuse(4002, "payload-size", f"{len(data)} bytes, the limit is {PAYLOAD_LIMIT}")
        elif not self._sends.count(self.hub.now()):
            self.refuse(4008, "send-limit", f"more than {self._sends.limit} payloads in {self._sends.window:g} s")
        elif trouble:
            self.refuse(4002, "undecodable", trouble)
        elif op not in _DOCUMENTED:
            self.refuse(4001, "unknown-op", f"op {op}")
        else:
            self._take(op, d)

    def _take(self, op: int, d: object) -> None:
        opening = _OPENING.get(op)
        if opening is not None:
            opening(self, d)
        elif not self.identified or self.session is None:
            self.refuse(4003, "not-authenticated", f"op {op} before IDENTIFY")
        else:
            self.prove()
            commands.obey(self, self.session, op, d)

    def _keep(self, op: int | None, d: object, size: int) -> None:
        if isinstance(d, dict) and "token" in d:
            d = {key: value for key, value in d.items() if key != "token"}
        journal = self.hub.journal
        frame = Frame(self.number, self.shard, self.hub.now(), op, size, d)
        journal.keep("frames", journal.frames, frame)

    def prove(self) -> None:
        """The client knows its session: what it sent shows it."""
        if not self.proven and self.session is not None:
            self.proven = True
            self.session.unseen = False

    def heartbeat(self, d: object) -> None:
        """Op 1; Discord does not look at ``d``, but what it can't be is a breach."""
        if d is not None and type(d) is not int:
            self.hub.breach("heartbeat-sequence", self.shard, f"d is a {type(d).__name__}, not a sequence or null")
        elif self.session is not None and isinstance(d, int):
            self.prove()
            if not 0 <= d <= self.session.seq:
                detail = f"d is {d}, but the session is at {self.session.seq}"
                self.hub.breach("heartbeat-sequence", self.shard, detail)
        self._last_beat = self.hub.now()
        if self.behaviour.ack == "full":
            self.control(11)
        elif self.behaviour.ack == "bare":
            self.send(b'{"op":11}')


_OPENING: dict[int, Callable[[Connection, object], None]] = {
    1: Connection.heartbeat,
    2: handshake.identify,
    6: replay.resume,
}


def _read(data: bytes) -> tuple[int | None, object, str]:
    """``(op, d, what is wrong)`` of a payload."""
    try:
        payload = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return None, None, f"no JSON: {error}"
    if not isinstance(payload, dict) or type(payload.get("op")) is not int:
        return None, None, "no object with an op"
    return payload["op"], payload.get("d"), ""
