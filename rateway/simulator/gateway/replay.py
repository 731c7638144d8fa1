"""RESUME, and the replay of what was missed (Discord's docs, "Gateway: Resuming")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from ..hub import PAUSE
from ..records import Resume
from .handshake import answer_later, follow
from .resumption import transport_of
from .sessions import GatewaySession, Kept, envelope

if TYPE_CHECKING:
    from .connection import Connection

_log = Logger()

_REPLAY_SLICE = 200
"""Events replayed in one go, before heartbeats get their turn."""


def resume(connection: Connection, d: object) -> None:
    """Op 6: replay what was missed, then RESUMED."""
    hub = connection.hub
    if connection.identified:
        return connection.refuse(4005, "already-authenticated", "RESUME on a connection that has a session")
    if not (isinstance(d, dict) and hub.knows(d.get("token"))):
        return connection.refuse(4004, "wrong-token", "RESUME with a token that isn't the bot's")
    id, seq = d.get("session_id"), d.get("seq")
    if not isinstance(id, str) or type(seq) is not int:
        return connection.refuse(4001, "resume-shape", "session_id or seq is missing or of a wrong type")
    session = hub.sessions.find(id, hub.world_time())
    if session is None:
        return _invalid(connection, id, seq, retry=False)
    connection.record.shard = session.shard
    scripted = hub.script.known(session.shard, connection.record.host, connection.record.name)
    if scripted is not None:
        connection.behaviour = scripted
    if seq > session.seq or seq < 0:
        _note(connection, id, seq, "4007", 0)
        hub.sessions.end(session)
        return connection.refuse(4007, "resume-sequence", f"seq {seq}, but the session is at {session.seq}")
    answer = connection.behaviour.resume
    if answer in ("invalid", "retry"):
        if answer == "invalid":
            hub.sessions.end(session)
        return _invalid(connection, id, seq, retry=answer == "retry")
    if isinstance(answer, int):
        _note(connection, id, seq, str(answer), 0)
        connection.session = session
        return connection.close(answer)
    if answer == "silence":
        connection.identified = True
        return _note(connection, id, seq, "silence", 0)
    return answer_later(connection, lambda: _take_up(connection, id, seq))


def _take_up(connection: Connection, id: str, seq: int) -> None:
    hub = connection.hub
    session = hub.sessions.find(id, hub.world_time())
    missed = None if session is None else session.missed(seq)
    if session is None or missed is None:
        if session is not None:
            hub.sessions.end(session)
        return _invalid(connection, id, seq, retry=False)
    _judge(connection, session)
    _note(connection, id, seq, "resumed", len(missed))
    _log.info(
        "connection {number} resumed shard {shard} of {total} at {seq}, {missed} events missed",
        number=connection.number,
        shard=session.shard,
        total=session.total,
        seq=seq,
        missed=len(missed),
    )
    return _attach(connection, session, seq, missed)


def _judge(connection: Connection, session: GatewaySession) -> None:
    """What Discord lets through, though its docs ask for another way: the address, and the query."""
    hub, record = connection.hub, connection.record
    old = session.connection
    since = session.detached_at if old is None else old.record.at
    # One that had a session is resumed on in place, after op 9: there is no address to choose.
    if not connection.served and _is_misplaced(connection) and not hub.resumption.excuses(since):
        detail = f"RESUME at {hub.resumption.host_of(record)}, READY named {hub.resumption.resume}"
        hub.breach("resume-host", session.shard, detail)
    transport = transport_of(record.query)
    if transport != session.asked.transport:
        detail = f"encoding and compress are {transport}, they were {session.asked.transport}"
        hub.breach("resume-query", session.shard, detail)


def _is_misplaced(connection: Connection) -> bool:
    """Whether READY named another address than the main one, to which the client came."""
    addresses = connection.hub.addresses
    return addresses.resume != addresses.gateway and connection.hub.resumption.is_misplaced(connection.record)


def _remind(connection: Connection) -> None:
    """Who resumes at the main address is disconnected more often: op 7, after a while."""
    hub, delay = connection.hub, connection.hub.options.reconnect_after
    if delay and _is_misplaced(connection):
        hub.later(delay, lambda: connection.control(7))


def _invalid(connection: Connection, id: str, seq: int, *, retry: bool) -> None:
    _note(connection, id, seq, "invalid", 0)
    connection.control(9, retry)


def _note(connection: Connection, id: str, seq: int, answer: str, replayed: int) -> None:
    record, hub = connection.record, connection.hub
    session = hub.sessions.find(id, hub.world_time())
    told = 0 if session is None else session.told if session.connection is None else session.seq
    resumed = Resume(record.number, record.shard, id, seq, hub.now(), record.host, record.query, answer, replayed, told)
    hub.journal.keep("resumes", hub.journal.resumes, resumed)


def _attach(connection: Connection, session: GatewaySession, seq: int, missed: list[Kept]) -> None:
    """The session is this connection's now; another one that still held it is closed."""
    old = session.connection
    if old is not None:
        old.close(4000)
    connection.session = session
    connection.identified = True
    connection.prove()
    connection.encoder.payload_compression = session.asked.compress
    session.connection = None
    session.detached_at = connection.hub.now()
    session.left_at = connection.hub.world_time()
    _replay(connection, session, seq, missed)


def _replay(connection: Connection, session: GatewaySession, seq: int, missed: list[Kept]) -> None:
    """A slice of what was missed; new events wait in the buffer, so that the order is kept."""
    if connection.over or connection.session is not session:
        return
    for number, _, payload in missed[:_REPLAY_SLICE]:
        connection.send(payload)
        seq = session.told = number
    rest = missed[_REPLAY_SLICE:]
    if not rest:
        rest = session.missed(seq) or []
    if rest:
        connection.hub.later(PAUSE, lambda: _replay(connection, session, seq, rest))
        return
    # RESUMED has a sequence of its own, but is never replayed.
    session.skip(1)
    connection.send(envelope("RESUMED", session.seq, b'{"_trace":["[\\"gateway-sim-1\\",{\\"micros\\":812}]"]}'))
    session.connection = connection
    connection.served = True
    connection.hub.journal.happened()
    _remind(connection)
    follow(connection)
