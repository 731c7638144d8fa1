"""The journal's records as facts: mappings of named fields, for conditions and expectations.

Every kind has ``at`` (the simulator's clock), and, where it is known, ``shard`` and ``connection`` (numbered from 1).
What a record lacks is -1 where it is a number: the shard of a connection that hasn't identified, a missing close code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import Factory, define, frozen

from ..records import Connected, Journal
from .format import Kind

if TYPE_CHECKING:
    from ..simulator import Simulator

Fact: TypeAlias = Mapping[str, Any]

FIELDS: Mapping[Kind, Mapping[str, str]] = {
    "requests": {
        "method": "GET, POST …",
        "path": "below /api/v10",
        "query": "the query string",
        "status": "of the answer, 0 while there is none",
        "authorized": "whether it bore the bot's token, as Bot",
        "agent": "the User-Agent",
    },
    "connections": {
        "host": "main, or resume: the address it came to",
        "path": "of the WebSocket's address",
        "v": "the query's version",
        "encoding": "the query's encoding",
        "compress": "the query's compress, none without one",
    },
    "ends": {
        "host": "main or resume",
        "client_code": "the client's close code",
        "server_code": "the simulator's close code",
        "lasted": "seconds",
    },
    "identifies": {
        "total": "the number of shards it named",
        "key": "shard % max_concurrency",
        "group": "shard // max_concurrency",
        "intents": "as a number",
        "host": "main or resume",
        "v": "the query's version",
        "encoding": "the query's encoding",
        "compress": "the query's compress, none without one",
        "answer": "ready, invalid, silence, or a close code as text",
    },
    "resumes": {
        "seq": "the sequence it named",
        "behind": "how many events short of the last one its former connection was sent",
        "replayed": "how many events it was sent again",
        "host": "main or resume",
        "v": "the query's version",
        "encoding": "the query's encoding",
        "compress": "the query's compress, none without one",
        "answer": "resumed, invalid, silence, or a close code as text",
    },
    "heartbeats": {
        "null": "whether d was null",
        "d": "the sequence, -1 for null",
        "number": "the how-manieth on its connection",
        "identified": "whether IDENTIFY or RESUME had been accepted on its connection",
        "interval": "what HELLO announced, in seconds",
        "phase": "the time since HELLO, as a share of the interval",
        "gap": "the time since the one before on its connection, as a share of the interval; -1 for the first",
        "off": "how far it is off the beat that the connection's first one set, as a share of the interval (0 to 0.5)",
    },
    "payloads": {"op": "-1 where it couldn't be read", "size": "bytes"},
    "closes": {"code": "of the client's close frame", "reason": "its text"},
    "commands": {"op": "3, 4, 8, 31 or 43"},
    "breaches": {"rule": "the broken rule's name", "detail": "what was wrong"},
    "wasted": {"how": "why a session that could have been resumed was not"},
}
"""The fields of each kind besides ``at``, ``shard`` and ``connection``."""

_NOWHERE: frozenset[Kind] = frozenset({"requests"})
_UNCONNECTED: frozenset[Kind] = frozenset({"requests", "breaches", "wasted"})


def fields_of(kind: Kind) -> frozenset[str]:
    """The names of all fields of a kind."""
    common = {"at"} | (set() if kind in _NOWHERE else {"shard"}) | (set() if kind in _UNCONNECTED else {"connection"})
    return frozenset(common | set(FIELDS[kind]))


@frozen
class Delivery:
    """A living session: the last sequence sent, and the highest one its client is known to have."""

    session_id: str
    shard: int
    seq: int
    acknowledged: int


@define(slots=False)
class Facts:
    """What is to be seen of a simulator's clients at this moment; each kind is made out once.

    :ivar now: on the simulator's clock.
    """

    simulator: Simulator
    now: float
    _made: dict[Kind, list[Fact]] = Factory(dict)

    @classmethod
    def at_present(cls, simulator: Simulator) -> Facts:
        return cls(simulator, simulator.hub.clock.seconds())

    def of(self, kind: Kind) -> list[Fact]:
        """All facts of a kind, oldest first."""
        if kind not in self._made:
            self._made[kind] = list(_MAKERS[kind](self))
        return self._made[kind]

    def deliveries(self) -> list[Delivery]:
        """Every living session."""
        journal = self.simulator.hub.journal
        found = []
        for session in self.simulator.sessions:
            seen = [resume.seq for resume in journal.resumes if resume.session_id == session.id]
            if session.connection is not None:
                number = session.connection.number
                seen += [b["d"] for b in self.of("heartbeats") if b["connection"] == number]
            found.append(Delivery(session.id, session.shard, session.seq, max(seen, default=-1)))
        return found

    # --- what facts are made of

    @property
    def journal(self) -> Journal:
        return self.simulator.hub.journal

    def host(self, connection: int) -> str:
        """Which of the simulator's addresses a connection came to; where both are one, it is the main one."""
        resumption, connected = self.simulator.hub.resumption, self.connections.get(connection)
        resumed = connected is not None and resumption.host_of(connected) == resumption.resume != resumption.main
        return "resume" if resumed else "main"

    @cached_property
    def connections(self) -> dict[int, Connected]:
        """All connections by their numbers."""
        return {connected.number: connected for connected in self.journal.connections}


def _or_less(value: int | None) -> int:
    return -1 if value is None else value


def _query(query: Mapping[str, str]) -> dict[str, str]:
    return {
        "v": query.get("v", ""),
        "encoding": query.get("encoding", ""),
        "compress": query.get("compress", "none"),
    }


def _requests(facts: Facts) -> Iterator[Fact]:
    bearing = f"Bot {facts.simulator.options.token}"
    for request in facts.journal.requests:
        yield {
            "at": request.at,
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "status": request.status,
            "authorized": request.headers.get("authorization") == bearing,
            "agent": request.headers.get("user-agent", ""),
        }


def _connections(facts: Facts) -> Iterator[Fact]:
    for connected in facts.journal.connections:
        yield {
            "at": connected.at,
            "connection": connected.number,
            "shard": _or_less(connected.shard),
            "host": facts.host(connected.number),
            "path": connected.path,
            **_query(connected.query),
        }


def _ends(facts: Facts) -> Iterator[Fact]:
    ended = [(connected.lost_at, connected) for connected in facts.journal.connections if connected.lost_at is not None]
    for lost_at, connected in sorted(ended, key=lambda pair: pair[0]):
        yield {
            "at": lost_at,
            "connection": connected.number,
            "shard": _or_less(connected.shard),
            "host": facts.host(connected.number),
            "client_code": _or_less(connected.client_code),
            "server_code": _or_less(connected.server_code),
            "lasted": lost_at - connected.at,
        }


def _identifies(facts: Facts) -> Iterator[Fact]:
    concurrency = facts.simulator.options.max_concurrency
    for identify in facts.journal.identifies:
        yield {
            "at": identify.at,
            "connection": identify.connection,
            "shard": identify.shard,
            "total": identify.total,
            "key": identify.key,
            "group": identify.shard // concurrency,
            "intents": identify.intents,
            "host": facts.host(identify.connection),
            "answer": identify.answer,
            **_query(identify.query),
        }


def _resumes(facts: Facts) -> Iterator[Fact]:
    for resume in facts.journal.resumes:
        yield {
            "at": resume.at,
            "connection": resume.connection,
            "shard": _or_less(resume.shard),
            "seq": resume.seq,
            "behind": resume.told - resume.seq,
            "replayed": resume.replayed,
            "host": facts.host(resume.connection),
            "answer": resume.answer,
            **_query(resume.query),
        }


def _heartbeats(facts: Facts) -> Iterator[Fact]:
    connections = facts.connections
    accepted: dict[int, float] = {}
    for kind, answer in (("identifies", "ready"), ("resumes", "resumed")):
        for fact in facts.of(kind):  # type: ignore[arg-type]
            if fact["answer"] == answer:
                accepted.setdefault(fact["connection"], fact["at"])
    former: dict[int, list[float]] = {}
    for frame in facts.journal.frames:
        if frame.op != 1:
            continue
        connected = connections[frame.connection]
        interval = connected.interval or facts.simulator.options.heartbeat_interval
        times = former.setdefault(frame.connection, [])
        times.append(frame.at)
        beats = (frame.at - times[0]) / interval
        yield {
            "at": frame.at,
            "connection": frame.connection,
            "shard": _or_less(connected.shard),
            "null": frame.d is None,
            "d": frame.d if type(frame.d) is int else -1,
            "number": len(times),
            "identified": accepted.get(frame.connection, frame.at + 1.0) <= frame.at,
            "interval": interval,
            "phase": (frame.at - (connected.greeted_at or connected.at)) / interval,
            "gap": (times[-1] - times[-2]) / interval if len(times) > 1 else -1,
            "off": abs(beats - round(beats)),
        }


def _payloads(facts: Facts) -> Iterator[Fact]:
    for frame in facts.journal.frames:
        yield {
            "at": frame.at,
            "connection": frame.connection,
            "shard": _or_less(frame.shard),
            "op": _or_less(frame.op),
            "size": frame.size,
        }


def _closes(facts: Facts) -> Iterator[Fact]:
    for close in facts.journal.closes:
        yield {
            "at": close.at,
            "connection": close.connection,
            "shard": _or_less(close.shard),
            "code": _or_less(close.code),
            "reason": close.reason,
        }


def _commands(facts: Facts) -> Iterator[Fact]:
    for command in facts.journal.commands:
        yield {"at": command.at, "connection": command.connection, "shard": command.shard, "op": command.op}


def _breaches(facts: Facts) -> Iterator[Fact]:
    for breach in facts.journal.breaches:
        yield {"at": breach.at, "shard": _or_less(breach.shard), "rule": breach.rule, "detail": breach.detail}


def _wasted(facts: Facts) -> Iterator[Fact]:
    for wasted in facts.journal.wasted:
        yield {"at": wasted.at, "shard": wasted.shard, "how": wasted.how}


_MAKERS: Mapping[Kind, Callable[[Facts], Iterator[Fact]]] = {
    "requests": _requests,
    "connections": _connections,
    "ends": _ends,
    "identifies": _identifies,
    "resumes": _resumes,
    "heartbeats": _heartbeats,
    "payloads": _payloads,
    "closes": _closes,
    "commands": _commands,
    "breaches": _breaches,
    "wasted": _wasted,
}
