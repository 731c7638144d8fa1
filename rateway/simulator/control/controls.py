"""What may be done to a running simulator: send events, end connections, corrupt, slow down and silence them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from ..gateway.behaviour import Behaviour, Drop
from ..gateway.noise import Nonsense, nonsense
from ..gateway.sessions import WIRE_ORDER
from ..hub import encode
from ..world.payloads import Json
from .guilds import GuildControls

_NAME = re.compile(r"[A-Z0-9_]+")


class Controls(GuildControls):
    """The verbs of a simulator, on top of its hub. Shards are addressed by number; the newest connection counts.

    :ivar resume_host: where sessions are resumed.
    """

    host: str
    resume_host: str

    # --- events

    def dispatch(self, shard: int, name: str, d: object, *, order: Sequence[str] = WIRE_ORDER) -> int:
        """An event for each session of the shard, whatever its intents; sent now, or kept for a RESUME.

        :param d: bytes are sent verbatim; anything else is encoded as JSON.
        :param order: of the envelope's keys, e.g. ``("d", "op", "t", "s")``.
        :returns: its sequence in the newest session.
        :raises LookupError: when the shard has no session.
        """
        if not _NAME.fullmatch(name):
            raise ValueError("an event's name consists of capitals, digits and underscores")
        data = bytes(d) if isinstance(d, bytes | bytearray | memoryview) else encode(d)
        newest = self.session(shard)
        for session in self.hub.sessions.of_shard(shard, self.hub.world_time()):
            self.hub.deliver(session, name, data, tuple(order) if order is not WIRE_ORDER else WIRE_ORDER)
        return newest.seq

    def emit(self, guild_id: int | None, name: str, d: Json) -> None:
        """An event of a guild, to whom Discord would send it: by shard and by intents."""
        self.hub.emit(guild_id, name, d)

    def skip_sequences(self, shard: int, count: int) -> None:
        """Leave a gap in the sequence."""
        self.session(shard).skip(count)

    def repeat(self, shard: int, count: int = 1) -> None:
        """The last events of the session once more, to its connection, with the sequences they had.

        :raises ValueError: when there weren't so many.
        """
        connection, session = self.connection(shard), self.session(shard)
        kept = session.missed(session.seq - count) if count <= session.seq else None
        if kept is None or len(kept) < count:
            kept = session.missed(session.log[0][0] - 1) if session.log else []
        if not kept or len(kept) < count:
            raise ValueError(f"shard {shard} has had {len(kept or ())} events that are still known, not {count}")
        for _, _, payload in kept[-count:]:
            connection.send(payload)

    def swap(self, shard: int, pairs: int = 1) -> None:
        """The next two events to the connection change places, so many times: the first waits for the second."""
        self.connection(shard).holdback.swaps = pairs

    def send_op(self, shard: int, op: int, d: object = None) -> None:
        """A payload that is no dispatch, to the shard's connection."""
        self.connection(shard).control(op, d)

    def request_heartbeat(self, shard: int) -> None:
        """Op 1."""
        self.send_op(shard, 1)

    def request_reconnect(self, shard: int) -> None:
        """Op 7; the connection stays open."""
        self.send_op(shard, 7)

    def invalidate(self, shard: int, *, resumable: bool) -> None:
        """Op 9; without ``resumable`` the session is over."""
        self.connection(shard).invalidate(resumable)

    # --- ends

    def drop(self, shard: int, how: Drop = "fin") -> None:
        """End the TCP connection without a close frame.

        ``blackhole``: it does not end, but nothing is read of it, and what is sent on it is lost.
        """
        self.connection(shard).drop(how)

    def end_blackholes(self, shards: Collection[int] | None = None, how: Literal["fin", "rst"] = "rst") -> int:
        """End the connections that a black hole has swallowed, of these shards or all; how many there were."""
        found = [
            connection
            for connection in self.hub.connections.values()
            if connection.swallowed and (shards is None or connection.shard in shards)
        ]
        for connection in found:
            connection.drop(how)
        return len(found)

    def close(self, shard: int, code: int | None, reason: str | None = None) -> None:
        """Close with a code, or without one; 4003, 4004, 4006, 4007, 4009 and 4010 to 4014 end the session too."""
        self.connection(shard).close(code, reason)

    def forget_session(self, shard: int) -> None:
        """The session can't be resumed any more (op 9 false answers a RESUME); its connection stays."""
        self.hub.sessions.end(self.session(shard))

    def reset_token(self) -> None:
        """The token is no longer valid: every session ends, connections are closed with 4004, REST answers 401."""
        self.hub.reset_token()

    # --- silence and noise

    def set_behaviour(self, shard: int, behaviour: Behaviour) -> None:
        """From now on the shard's connection behaves so; what comes before READY is past."""
        self.connection(shard).behaviour = behaviour

    def freeze(self, shard: int, *, deaf: bool = False) -> None:
        """Send nothing more on the connection, not even ACKs; with ``deaf``, read nothing either."""
        self.connection(shard).freeze(deaf=deaf)

    def thaw(self, shard: int) -> None:
        """Send what a frozen connection held back."""
        self.connection(shard).thaw()

    def acknowledge(self, shard: int, how: Literal["full", "bare", "none"]) -> None:
        """How heartbeats are acknowledged from now on: in full, without ``d``, ``s`` and ``t``, or not at all."""
        self._change(shard, ack=how)

    def withhold(self, shard: int, *events: str) -> None:
        """Hold back events of these names, all of them by default; the rest, ACKs too, goes on."""
        self._change(shard, withhold=events or ("*",))

    def release(self, shard: int, how: Literal["late", "dropped"] = "late") -> int:
        """Hold nothing back any more; what was held back is sent, or dropped. How many events that were."""
        return self.connection(shard).release(late=how == "late")

    def shape(self, shard: int, **fields: float) -> None:
        """How payloads are cut and paced from now on: any of ``pieces``, ``fragments``, ``pings``, ``gather``,
        ``segment`` and ``bytes_per_second`` of :class:`Behaviour`."""
        self._change(shard, **fields)

    def _change(self, shard: int, **fields: object) -> None:
        connection = self.connection(shard)
        connection.behaviour = msgspec.structs.replace(connection.behaviour, **fields)

    def send_text(self, shard: int, text: bytes) -> None:
        """Any bytes as one payload, through the connection's compression: broken JSON, bad UTF-8, odd envelopes."""
        self.connection(shard).send(text)

    def send_raw(self, shard: int, message: bytes, *, binary: bool = True) -> None:
        """Any bytes as one WebSocket message, past the compression."""
        self.connection(shard).put([(message, binary)])

    def corrupt(self, shard: int) -> None:
        """A message that can't be inflated (or, without compression, is half a JSON text)."""
        connection = self.connection(shard)
        connection.put(connection.encoder.garbage())

    def send_nonsense(self, shard: int, kind: Nonsense) -> None:
        """No JSON, no UTF-8, an unknown op, event or field, or no object: see :mod:`..gateway.noise`."""
        made = nonsense(kind)
        if isinstance(made, tuple):
            self.dispatch(shard, *made)
        else:
            self.connection(shard).send(made)

    # --- connections to come

    def on_connect(
        self, behaviour: Behaviour, *, shard: int | None = None, host: str | None = None, times: int = 1
    ) -> None:
        """The next ``times`` connections behave so, first come first served.

        :param shard: only those that identify or resume this shard, from then on (so nothing of the opening).
        :param host: only those to this address: ``127.0.0.2`` is where sessions are resumed.
        """
        self.hub.script.add(behaviour, shard, host, times)

    def behave(self, behaviour: Behaviour) -> None:
        """All later connections that nothing else was said about behave so."""
        self.hub.script.usual = behaviour

    def behave_well(self) -> None:
        """Forget all that was said about connections to come; those that stand stay as they are."""
        self.hub.script.clear()

    def refuse_connections(
        self,
        how: int | Literal["silent", "fin", "rst"] = 503,
        *,
        seconds: float | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Refuse every connection for a while, or until :meth:`admit_connections`.

        :param how: an HTTP status that answers the upgrade, or what happens instead of an answer.
        """
        script = self.hub.script
        refusal = script.gate = Behaviour(handshake=how, retry_after=retry_after)
        if seconds is not None:

            def admit() -> None:
                if script.gate is refusal:
                    script.gate = None

            self.hub.later(seconds, admit)

    def admit_connections(self) -> None:
        """Accept connections again."""
        self.hub.script.gate = None

    async def set_resume_host(self, state: Literal["open", "refuses", "silent", "mute"]) -> None:
        """How the resume host fares: ``open``; ``refuses`` TCP; ``silent``: accepts TCP and answers nothing;
        ``mute``: accepts the WebSocket and never says HELLO.

        :raises LookupError: when sessions are resumed on the main address.
        """
        if self.resume_host == self.host:
            raise LookupError("there is no resume host: sessions are resumed on the main address")
        behaviours = {"silent": Behaviour(handshake="silent"), "mute": Behaviour(hello=False)}
        self.hub.script.at_host(self.resume_host, behaviours.get(state))
        if state == "refuses":
            await self.close_resume_host()
        else:
            await self.open_resume_host()

    # --- records

    def forget_records(self) -> None:
        """Forget what happened, and count anew; connections and sessions stay as they are."""
        self.hub.journal.clear()
        self.hub.sent = 0

    async def open_resume_host(self) -> None:
        """Listen on the resume host."""
        raise NotImplementedError

    async def close_resume_host(self) -> None:
        """The resume host refuses TCP from now on."""
        raise NotImplementedError
