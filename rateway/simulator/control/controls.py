"""What a test may do to a running simulator: send events, end connections, corrupt and silence them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from ..gateway.behaviour import Behaviour, Drop
from ..gateway.connection import Connection
from ..gateway.sessions import WIRE_ORDER, GatewaySession
from ..hub import Hub, encode
from ..world.guild import Guild
from ..world.payloads import Json

_NAME = re.compile(r"[A-Z0-9_]+")


class Controls:
    """The verbs of a simulator, on top of its hub. Shards are addressed by number; the newest connection counts."""

    hub: Hub

    # --- who is there

    def connection(self, shard: int) -> Connection:
        """The newest connection of a shard.

        :raises LookupError: when the shard has none.
        """
        for number in sorted(self.hub.connections, reverse=True):
            connection = self.hub.connections[number]
            if connection.shard == shard and not connection.over:
                return connection
        raise LookupError(f"shard {shard} has no connection")

    def session(self, shard: int) -> GatewaySession:
        """The newest session of a shard, with a connection or without.

        :raises LookupError: when the shard has none.
        """
        sessions = self.hub.sessions.of_shard(shard, self.hub.now())
        if not sessions:
            raise LookupError(f"shard {shard} has no session")
        return sessions[-1]

    def is_connected(self, shard: int) -> bool:
        """Whether the shard's session has a connection that gets its events (after READY or RESUMED)."""
        return any(session.connection is not None for session in self.hub.sessions.of_shard(shard, self.hub.now()))

    def connected_shards(self) -> set[int]:
        """The shards for which :meth:`is_connected` holds."""
        return {session.shard for session in self.hub.sessions if session.connection is not None}

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
        for session in self.hub.sessions.of_shard(shard, self.hub.now()):
            self.hub.deliver(session, name, data, tuple(order) if order is not WIRE_ORDER else WIRE_ORDER)
        return newest.seq

    def emit(self, guild_id: int | None, name: str, d: Json) -> None:
        """An event of a guild, to whom Discord would send it: by shard and by intents."""
        self.hub.emit(guild_id, name, d)

    def skip_sequences(self, shard: int, count: int) -> None:
        """Leave a gap in the sequence."""
        self.session(shard).skip(count)

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
        """End the TCP connection without a close frame."""
        self.connection(shard).drop(how)

    def close(self, shard: int, code: int, reason: str | None = None) -> None:
        """Close with a code; 4003, 4004, 4006, 4007, 4009 and 4010 to 4014 end the session too."""
        self.connection(shard).close(code, reason)

    def forget_session(self, shard: int) -> None:
        """The session can't be resumed any more (op 9 false answers a RESUME); its connection stays."""
        self.hub.sessions.end(self.session(shard))

    # --- silence and noise

    def set_behaviour(self, shard: int, behaviour: Behaviour) -> None:
        """From now on the shard's connection behaves so (``ack`` and ``pieces`` matter after READY)."""
        self.connection(shard).behaviour = behaviour

    def freeze(self, shard: int, *, deaf: bool = False) -> None:
        """Send nothing more on the connection, not even ACKs; with ``deaf``, read nothing either."""
        self.connection(shard).freeze(deaf=deaf)

    def thaw(self, shard: int) -> None:
        """Send what a frozen connection held back."""
        self.connection(shard).thaw()

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

    # --- guilds

    def guild(self, index: int) -> Guild:
        """The world's guild in order of ids, from 0."""
        return self.hub.world.guilds[sorted(self.hub.world.guilds)[index]]

    def guild_create(self, guild_id: int, *, intents: int | None = None, pad_to: int = 0) -> bytes:
        """``d`` of a GUILD_CREATE as a session with these intents (all by default) gets it.

        :param pad_to: made at least so many bytes long, by members nobody has seen.
        """
        world = self.hub.world
        guild = world.guilds[guild_id]
        d = guild.create_payload((1 << 26) - 1 if intents is None else intents, 250)
        size = len(encode(d))
        if pad_to > size:
            sample = encode(next(iter(guild.members.values())))
            members = list(d["members"])
            template = next(iter(guild.members.values()))
            for _ in range(-(-(pad_to - size) // len(sample)) + 1):
                members.append({**template, "user": {**template["user"], "id": str(world.ids.made())}})
            d["members"], d["member_count"] = members, len(members)
            raw = encode(d)
            return raw if len(raw) >= pad_to else raw[:-1] + b',"padding":"' + b"x" * (pad_to - len(raw)) + b'"}'
        return encode(d)

    def outage(self, guild_id: int) -> None:
        """The guild becomes unavailable: GUILD_DELETE with ``unavailable``, now and in each backfill."""
        self.hub.world.guilds[guild_id].unavailable = True
        for session in self.hub.owners(guild_id):
            self.hub.show_guild(session, guild_id)

    def recover(self, guild_id: int) -> None:
        """The outage ends: GUILD_CREATE with ``unavailable`` false."""
        self.hub.world.guilds[guild_id].unavailable = False
        for session in self.hub.owners(guild_id):
            self.hub.show_guild(session, guild_id)

    def join_guild(self, members: int | None = None) -> Guild:
        """The bot joins a new guild: GUILD_CREATE without ``unavailable``."""
        guild = self.hub.world.make_guild(members)
        for session in self.hub.owners(guild.id):
            self.hub.show_guild(session, guild.id, joined=True)
        return guild

    def leave_guild(self, guild_id: int, *, how: Literal["told", "silently"] = "told") -> None:
        """The bot is no longer in the guild; ``silently``: only a later READY shows it, by not listing it."""
        del self.hub.world.guilds[guild_id]
        if how == "told":
            for session in self.hub.owners(guild_id):
                self.hub.show_guild(session, guild_id)
