"""What all connections of a simulated Discord share, and how events find their sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import msgspec
from attrs import define
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from rateway.model.intents import Intent
from rateway.model.snowflake import shard_of

from .gateway.behaviour import Script
from .gateway.content import content_hidden, without_content
from .gateway.filters import is_own, lets_through
from .gateway.packing import Packed
from .gateway.resumption import Resumption
from .gateway.rules import Allowance, Asked, KeyedWindow
from .gateway.sessions import WIRE_ORDER, GatewaySession, Sessions
from .options import SimulatorOptions
from .records import Breach, Clock, Journal, Sent, Wasted
from .world.clock import world_clock as clock_of_world
from .world.deeds import Deeds
from .world.messages import guild_of
from .world.payloads import EPOCH, Json
from .world.world import World

if TYPE_CHECKING:
    from .gateway.connection import Connection

_BACKFILL_SLICE = 20
"""Guilds sent in one go after READY, before other work gets its turn."""

_BACKFILL_PEOPLE = 5000
"""Members after whose guilds it is others' turn too: large guilds take long."""

PAUSE = 1e-6
"""Seconds between two slices of a long piece of work: enough for what has come in meanwhile to be read."""

_SECRET = 8
"""Characters from which on a token is one that nobody may see."""

encode = msgspec.json.Encoder().encode


@define
class Addresses:
    """Where clients are told to go."""

    gateway: str = ""
    resume: str = ""


class Hub:
    """The shared state of one simulated Discord.

    :ivar clock: of connections: heartbeats, delays, and the limits that a client counts in its own seconds.
    :ivar world_clock: of the world: timestamps, traffic, and the age of sessions; usually the same.
    :ivar deeds: what may be done in the world.
    :ivar token_dead: the daily allowance was exceeded, and the token reset: nobody gets in any more.
    :ivar numbers: of the connections to come.
    :ivar transports: of HTTP clients: they keep them open for their next request.
    """

    _log = Logger()

    def __init__(self, clock: Clock, options: SimulatorOptions, world_clock: Clock | None = None) -> None:
        self.clock = clock
        self.world_clock = world_clock or clock_of_world(clock, options.speed)
        self.options = options
        self.journal = Journal(clock, options.journal_limit)
        self.script = Script()
        self.world = World(options)
        self.deeds = Deeds(self)
        # A virtual clock starts at 0: the world's time starts at its beginning then.
        self._world_offset = EPOCH if self.world_clock.seconds() < EPOCH else 0.0
        self.addresses = Addresses()
        self.resumption = Resumption()
        self.connections: dict[int, Connection] = {}
        self.sessions = Sessions(options.replay_limit, options.replay_age, options.replay_bytes)
        self.keys = KeyedWindow(options.identify_window)
        self.lists = KeyedWindow(options.chunk_window)
        self.allowance = self._open_allowance()
        self.token_dead = False
        self.sent = 0
        self.numbers = count(1)
        self.transports: WeakSet[Any] = WeakSet()
        self._calls: set[IDelayedCall] = set()

    def _open_allowance(self) -> Allowance:
        options = self.options
        allowance = Allowance(options.session_total, options.session_remaining, options.session_window)
        if options.reset_after:
            allowance.ends = self.now() + options.reset_after
        elif options.session_remaining < options.session_total:
            allowance.ends = self.now() + options.session_window
        return allowance

    def now(self) -> float:
        return self.clock.seconds()

    def world_time(self) -> float:
        """Seconds since 1970, as the world's clock has it."""
        return self.world_clock.seconds() + self._world_offset

    def age(self, when: float) -> float:
        """Seconds of the client's time since a moment of the world's."""
        return (self.world_time() - when) / (self.options.speed or 1.0)

    def breach(self, rule: str, shard: int | None, detail: str) -> None:
        """The client broke a rule."""
        journal, detail = self.journal, self.veil(detail)
        journal.keep("breaches", journal.breaches, Breach(rule, shard, detail, self.now()))
        self._log.warn("breach of {rule} by shard {shard}: {detail}", rule=rule, shard=shard, detail=detail)

    def veil(self, text: str) -> str:
        """The text without the bot's token."""
        token = self.options.token
        return text.replace(token, "(the token)") if len(token) >= _SECRET else text

    def knows(self, token: object) -> bool:
        """Whether this is the bot's token, bare or with the prefix ``Bot``."""
        return isinstance(token, str) and token.removeprefix("Bot ") == self.options.token and not self.token_dead

    def reset_token(self) -> None:
        """What Discord does when the daily allowance is exceeded: every session ends, and the token with them."""
        self.token_dead = True
        for session in self.sessions:
            self.sessions.end(session)
        for connection in tuple(self.connections.values()):
            connection.close(4004)

    def waste(self, session: GatewaySession, how: str) -> None:
        """A session ends that could have been resumed."""
        journal = self.journal
        journal.keep("wasted", journal.wasted, Wasted(session.shard, session.id, how, self.now()))
        self._log.info("session of shard {shard} wasted: {how}", shard=session.shard, how=how)
        self.sessions.end(session)

    def end_replaced(self, asked: Asked) -> None:
        """Those sessions of a place that could have been resumed are wasted by a new one."""
        for old in self.sessions.at(asked.shard, asked.total, self.world_time()):
            if old.connection is None:
                if self.resumption.is_wasted(old, asked, self.journal.resumes):
                    self.breach("wasted-session", asked.shard, f"identified anew, though {old.seq} could be resumed")
                self.waste(old, "identified anew")

    def start_session(self, asked: Asked) -> GatewaySession:
        return self.sessions.start(self.world.token(), asked)

    # --- events

    def deliver(self, session: GatewaySession, name: str, d: bytes, order: Sequence[str] = WIRE_ORDER) -> None:
        """Give a session an event: sent now if its client is there, and kept for a RESUME in any case."""
        payload = session.keep(name, d, self.world_time(), order)
        self.sent += 1
        if self.options.record_events:
            self.journal.events.append(Sent(session.shard, session.id, session.seq, name, d))
        if session.connection is not None:
            session.connection.dispatch(name, payload)

    def deliver_packed(self, session: GatewaySession, events: Sequence[Packed]) -> None:
        """Give a session events of the load: as :meth:`deliver` does each of them, in one write."""
        connection = session.connection
        if connection is not None and not connection.takes_packed:
            for event in events:
                self.deliver(session, event.name, event.d)
            return
        first = session.keep_packed(events, self.world_time())
        self.sent += len(events)
        if self.options.record_events:
            sent = [
                Sent(session.shard, session.id, seq, event.name, event.d) for seq, event in enumerate(events, first)
            ]
            self.journal.events.extend(sent)
        if connection is not None:
            connection.send_packed(events, first)

    def emit(self, guild_id: int | None, name: str, d: Json) -> None:
        """An event of the world: to the sessions that own the guild and whose intents let it through.

        :param guild_id: None for what belongs to no guild: it goes to shard 0.
        """
        now = self.world_time()
        own = is_own(str(self.world.bot_id), name, d)
        whole = bare = b""
        for total in tuple(self.sessions.totals()):
            shard = 0 if guild_id is None else shard_of(guild_id, total)
            for session in self.sessions.at(shard, total, now):
                intents = session.asked.intents
                if not lets_through(intents, name, guild=guild_id is not None, own=own):
                    continue
                if not content_hidden(intents, guild_id, d):
                    whole = whole or encode(d)
                    self.deliver(session, name, whole)
                else:
                    bare = bare or encode(without_content(d))
                    self.deliver(session, name, bare)

    def tell(self, name: str, d: Json) -> None:
        """An event of the world, routed by the guild that it bears; nothing is heard of a guild in outage.

        GUILD_CREATE and GUILD_DELETE need no more than the id: each session is shown the guild as it may see it.
        """
        guild_id = guild_of(name, d)
        guild = None if guild_id is None else self.world.guilds.get(guild_id)
        if guild_id is not None and name in ("GUILD_CREATE", "GUILD_DELETE"):
            for session in self.owners(guild_id):
                self.show_guild(session, guild_id, joined="unavailable" not in d)
        elif guild is None or not guild.unavailable:
            self.emit(guild_id, name, d)

    # --- guilds

    def show_guild(self, session: GatewaySession, guild_id: int, *, joined: bool = False) -> None:
        """GUILD_CREATE as this session sees the guild, or what stands for it during an outage."""
        if not session.asked.intents & Intent.GUILDS:
            return
        guild = self.world.guilds.get(guild_id)
        if guild is None:
            self.deliver(session, "GUILD_DELETE", encode({"id": str(guild_id)}))
        elif guild.unavailable:
            self.deliver(session, "GUILD_DELETE", encode({"id": str(guild_id), "unavailable": True}))
        else:
            d = guild.create_payload(session.asked.intents, session.asked.large_threshold, joined=joined)
            self.deliver(session, "GUILD_CREATE", encode(d))

    def owners(self, guild_id: int) -> list[GatewaySession]:
        """The sessions that own a guild."""
        now = self.world_time()
        return [
            session
            for total in tuple(self.sessions.totals())
            for session in self.sessions.at(shard_of(guild_id, total), total, now)
        ]

    def backfill(self, session: GatewaySession, guild_ids: Sequence[int]) -> None:
        """The guilds that READY listed, in slices; it goes on while the client is away, for a RESUME."""
        if self.sessions.find(session.id, self.world_time()) is None:
            return
        sent = people = 0
        while sent < min(len(guild_ids), _BACKFILL_SLICE) and people < _BACKFILL_PEOPLE:
            guild = self.world.guilds.get(guild_ids[sent])
            people += 0 if guild is None else guild.member_count
            self.show_guild(session, guild_ids[sent])
            sent += 1
        rest = guild_ids[sent:]
        session.backfilling = bool(rest)
        if rest:
            self.later(PAUSE, lambda: self.backfill(session, rest))
        else:
            self.journal.happened()

    def later(self, delay: float, do: Callable[[], object]) -> None:
        """Do something later; what raises is logged, and harms nothing else."""
        self._later(self.clock, delay, do)

    def later_in_world(self, delay: float, do: Callable[[], object]) -> None:
        """The same, after a while of the world's time."""
        self._later(self.world_clock, delay, do)

    def _later(self, clock: Clock, delay: float, do: Callable[[], object]) -> None:
        def carefully() -> None:
            self._calls.discard(call)
            try:
                do()
            except Exception:
                self._log.failure("the simulator met a bug of its own")

        call = clock.callLater(delay, carefully)
        self._calls.add(call)

    def cancel_calls(self) -> None:
        """Nothing of what was to be done later is done."""
        calls, self._calls = self._calls, set()
        for call in calls:
            call.cancel()
