"""IDENTIFY and RESUME (Discord's docs, "Gateway: Identifying" and "Resuming")."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import evolve
from twisted.logger import Logger

from ..hub import PAUSE, encode
from ..records import Identify, Resume
from ..world.payloads import Json, current_user
from . import botstate
from .resumption import transport_of
from .rules import Asked, Refusal, application_flags, check_identify, read_identify
from .sessions import GatewaySession, Kept, envelope

if TYPE_CHECKING:
    from .connection import Connection

_log = Logger()

_REPLAY_SLICE = 200
"""Events replayed in one go, before heartbeats get their turn."""

_PADDING = 1000
"""Characters of one entry of the trace that makes a READY large."""


def identify(connection: Connection, d: object) -> None:
    """Op 2: check it as Discord does, and start a session."""
    hub = connection.hub
    if connection.identified:
        return connection.refuse(4005, "already-authenticated", "IDENTIFY on a connection that has a session")
    if not (isinstance(d, dict) and hub.knows(d.get("token"))):
        return connection.refuse(4004, "wrong-token", "IDENTIFY with a token that isn't the bot's")
    asked = read_identify(d)
    if isinstance(asked, Refusal):
        return connection.refuse(asked.code, asked.rule, asked.detail, asked.reason)
    asked = evolve(asked, transport=transport_of(connection.record.query))
    connection.record.shard = asked.shard
    options = hub.options
    guilds = len(hub.world.guilds_of(asked.shard, asked.total)) if asked.total > 0 else 0
    refusal = check_identify(asked, allowed=options.allowed_intents, multiple=options.shards_multiple, guilds=guilds)
    if refusal is not None:
        _record(connection, asked, d, str(refusal.code))
        return connection.refuse(refusal.code, refusal.rule, refusal.detail, refusal.reason)
    if not _within_limits(connection, asked, d):
        return None
    scripted = hub.script.known(asked.shard, connection.record.host, connection.record.name)
    if scripted is not None:
        connection.behaviour = scripted
    answer = connection.behaviour.identify
    _record(connection, asked, d, str(answer))
    if answer == "invalid":
        connection.control(9, False)
    elif isinstance(answer, int):
        connection.close(answer)
    elif answer == "silence":
        connection.identified = True
    else:
        _answer(connection, lambda: _start(connection, asked))
    return None


def _answer(connection: Connection, do: Callable[[], None]) -> None:
    """Go on to READY or to the replay, after the time a script wants to pass before."""
    delay = connection.behaviour.answer_delay
    if not delay:
        return do()
    connection.identified = True

    def late() -> None:
        if not connection.over:
            connection.identified = False
            do()

    return connection.hub.later(delay, late)


def _within_limits(connection: Connection, asked: Asked, d: dict[str, object]) -> bool:
    """The daily allowance, and one IDENTIFY per key and window."""
    hub = connection.hub
    now = hub.now()
    if not hub.allowance.use(now):
        _record(connection, asked, d, "4004")
        hub.breach("daily-allowance", asked.shard, f"more than {hub.allowance.total} IDENTIFYs: the token is reset")
        hub.reset_token()
        return False
    key = asked.shard % hub.options.max_concurrency
    wait = hub.keys.wait(key, now)
    if wait > 0:
        _record(connection, asked, d, "invalid")
        hub.breach("identify-concurrency", asked.shard, f"key {key} is free in {wait:.3f} s only")
        connection.control(9, False)
        return False
    hub.keys.use(key, now)
    return True


def _record(connection: Connection, asked: Asked, d: dict[str, object], answer: str) -> None:
    record, hub = connection.record, connection.hub
    identified = Identify(
        record.number,
        asked.shard,
        asked.total,
        asked.shard % hub.options.max_concurrency,
        hub.now(),
        asked.intents,
        record.host,
        record.query,
        answer,
        {key: value for key, value in d.items() if key != "token"},
    )
    hub.journal.keep("identifies", hub.journal.identifies, identified)


def _start(connection: Connection, asked: Asked) -> None:
    hub = connection.hub
    hub.end_replaced(asked)
    botstate.hang_up(hub, asked.shard, asked.total)
    session = hub.start_session(asked)
    botstate.begin(hub, session)
    session.connection = connection
    connection.session = session
    connection.identified = True
    connection.encoder.payload_compression = asked.compress
    guilds = hub.world.guilds_of(asked.shard, asked.total)
    bot = hub.world.bot
    ready: Json = {
        "v": 10,
        "user_settings": {},
        "user": current_user(bot),
        "session_type": "normal",
        "session_id": session.id,
        "resume_gateway_url": hub.addresses.resume,
        "relationships": [],
        "private_channels": [],
        "presences": [],
        "guild_join_requests": [],
        "guilds": [{"unavailable": True, "id": str(guild.id)} for guild in guilds],
        "auth": {},
        "application": {"id": bot["id"], "flags": application_flags(hub.options.allowed_intents)},
        "_trace": ['["gateway-sim-1",{"micros":51234,"calls":[]}]'],
    }
    if asked.sharded:
        ready["shard"] = [asked.shard, asked.total]
    connection.served = True
    _log.info(
        "connection {number} identified as shard {shard} of {total}, intents {intents}",
        number=connection.number,
        shard=asked.shard,
        total=asked.total,
        intents=asked.intents,
    )
    hub.deliver(session, "READY", _padded(ready, connection.behaviour.ready_size))
    _follow(connection)
    if connection.behaviour.backfill:
        session.backfilling = True
        hub.later(0, lambda: hub.backfill(session, [guild.id for guild in guilds]))


def _padded(ready: dict[str, object], size: int) -> bytes:
    """READY's ``d``, made at least so many bytes long by a long trace."""
    raw = encode(ready)
    if len(raw) >= size:
        return raw
    count = (size - len(raw)) // _PADDING + 1
    return encode({**ready, "_trace": [f"{number:0>{_PADDING}}" for number in range(count)]})


def _follow(connection: Connection) -> None:
    """What a script wants right after READY or RESUMED."""
    after, delay = connection.behaviour.after, connection.behaviour.after_delay
    if after is None:
        return

    def end() -> None:
        if isinstance(after, int):
            connection.close(after)
        else:
            connection.drop(after)

    if delay:
        connection.hub.later(delay, end)
    else:
        end()


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
    return _answer(connection, lambda: _take_up(connection, id, seq))


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
    if not connection.served and hub.resumption.is_misplaced(record) and not hub.resumption.excuses(since):
        detail = f"RESUME at {hub.resumption.host_of(record)}, READY named {hub.resumption.resume}"
        hub.breach("resume-host", session.shard, detail)
    transport = transport_of(record.query)
    if transport != session.asked.transport:
        detail = f"encoding and compress are {transport}, they were {session.asked.transport}"
        hub.breach("resume-query", session.shard, detail)


def _remind(connection: Connection) -> None:
    """Who resumes at the main address is disconnected more often: op 7, after a while."""
    hub, delay = connection.hub, connection.hub.options.reconnect_after
    if delay and hub.resumption.is_misplaced(connection.record):
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
    _follow(connection)
