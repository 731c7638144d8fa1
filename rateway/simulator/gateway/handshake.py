"""IDENTIFY (Discord's docs, "Gateway: Identifying"), and what it shares with RESUME."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import evolve
from twisted.logger import Logger

from ..hub import encode
from ..records import Identify
from ..world.payloads import Json, current_user
from . import botstate
from .resumption import transport_of
from .rules import Asked, Refusal, application_flags, check_identify, read_identify

if TYPE_CHECKING:
    from .connection import Connection

_log = Logger()

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
        answer_later(connection, lambda: _start(connection, asked))
    return None


def answer_later(connection: Connection, do: Callable[[], None]) -> None:
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
    follow(connection)
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


def follow(connection: Connection) -> None:
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
