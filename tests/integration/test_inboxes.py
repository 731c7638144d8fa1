"""What anybody may send to rateway's inbox: nothing of it does harm (docs/user-guide.md).

Messages are made by hypothesis and written byte by byte, so that they reach rateway as no client library would send
them. After each, rateway has to answer a query.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import pika
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.threads import deferToThread

from rateway.simulator.simulator import Simulator
from tests.support.waiting import PATIENCE

from . import raw
from .harness import WorldTestCase
from .payloads import presence
from .program import Program
from .worker import Worker

LIVES = b'{"type":"CurrentUser","arguments":[]}'
CONNECTED = "is connected to the broker"
TYPES = [
    "CurrentUser",
    "Guild",
    "GuildChannel",
    "PrivateChannel",
    "Emoji",
    "Member",
    "Message",
    "Presence",
    "Role",
    "User",
    "VoiceState",
    "VoiceChannelStates",
    "Group",
    "Guilds",
]

fuzzed = settings(
    max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False
)
plain = st.none() | st.booleans() | st.integers(-(2**66), 2**66) | st.floats() | st.text(max_size=8)
values = st.recursive(
    plain, lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(st.text(max_size=6), deeper, max_size=3)
)
short_strings = st.binary(max_size=12) | st.binary(min_size=255, max_size=255) | st.text(max_size=8).map(str.encode)


def dump(value: object) -> bytes:
    """JSON as careless clients write it: NaN, lone surrogates and all."""
    return json.dumps(value).encode()


def _numbers() -> st.SearchStrategy[bytes]:
    layouts = {"b": "b", "B": "B", "s": "h", "u": "H", "I": "i", "i": "I", "l": "q", "L": "Q", "f": "f", "d": "d"}
    sizes = {code: struct.calcsize(">" + layout) for code, layout in layouts.items()}
    return st.sampled_from(sorted(sizes)).flatmap(
        lambda code: st.binary(min_size=sizes[code], max_size=sizes[code]).map(lambda data: code.encode() + data)
    )


def _fields(deeper: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """The inside of a table; names may repeat, be empty, or be no UTF-8."""
    names = st.sampled_from([b"shard_id", b"", b"a", b"\xff"]) | st.binary(max_size=8)
    return st.lists(st.tuples(names, deeper), max_size=4).map(
        lambda pairs: b"".join(raw.short(name) + value for name, value in pairs)
    )


scalars = st.one_of(
    _numbers(),
    st.binary(max_size=12).map(lambda data: b"S" + raw.long(data)),
    st.binary(max_size=12).map(lambda data: b"x" + raw.long(data)),
    st.binary(min_size=5, max_size=5).map(lambda data: b"D" + data),
    st.binary(min_size=8, max_size=8).map(lambda data: b"T" + data),
    st.binary(min_size=1, max_size=1).map(lambda data: b"t" + data),
    st.just(b"V"),
)
field_values = st.recursive(
    scalars,
    lambda deeper: st.one_of(
        _fields(deeper).map(lambda data: b"F" + raw.long(data)),
        st.lists(deeper, max_size=4).map(lambda items: b"A" + raw.long(b"".join(items))),
    ),
    max_leaves=12,
)
tables = _fields(field_values).map(raw.long)
shard_headers = field_values.map(lambda value: raw.table({"shard_id": value}))

PROPERTIES: tuple[tuple[int, st.SearchStrategy[bytes]], ...] = (
    (1 << 15, short_strings.map(raw.short)),
    (1 << 14, short_strings.map(raw.short)),
    (raw.HEADERS, tables | shard_headers),
    (1 << 12, st.sampled_from([b"\x01", b"\x02"])),
    (1 << 11, st.binary(min_size=1, max_size=1)),
    (raw.CORRELATION_ID, short_strings.map(raw.short)),
    (raw.REPLY_TO, short_strings.map(raw.short)),
    (1 << 7, short_strings.map(raw.short)),
    (1 << 6, st.binary(min_size=8, max_size=8)),
    (1 << 5, short_strings.map(raw.short)),
    (1 << 3, short_strings.map(raw.short)),
    (1 << 2, short_strings.map(raw.short)),
)
"""All properties but expiration and user_id, in the order of the wire: these, and delivery_mode, the broker checks."""


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """Property flags and any properties."""
    flags, parts = 0, []
    for flag, strategy in PROPERTIES:
        if draw(st.booleans()):
            flags |= flag
            parts.append(draw(strategy))
    return raw.properties(flags, *parts)


@st.composite
def query_bodies(draw: st.DrawFn) -> bytes:
    """Cache requests, nearly right or not at all."""
    fields = {
        "type": draw(st.sampled_from(TYPES) | values),
        "arguments": draw(st.lists(st.integers(0, 2**64) | values, max_size=3) | values),
        "return_routing_key": draw(st.text(max_size=8) | values),
    }
    for key in draw(st.sets(st.sampled_from(sorted(fields)))):
        del fields[key]
    return dump(fields)


@st.composite
def command_bodies(draw: st.DrawFn) -> bytes:
    """Gateway commands, nearly right or not at all."""
    ids = st.sampled_from(["1", 1, None]) | values
    fields = {
        "guild_id": draw(ids),
        "channel_id": draw(ids),
        "self_mute": draw(st.booleans() | values),
        "self_deaf": draw(st.booleans() | values),
        "query": draw(st.just("") | values),
        "limit": draw(st.integers(0, 200) | values),
        "user_ids": draw(st.lists(ids, max_size=3) | ids),
        "guild_ids": draw(st.lists(ids, max_size=3) | ids),
        "fields": draw(st.lists(st.sampled_from(["status", "x"]) | values, max_size=2)),
        "since": draw(values),
        "activities": draw(st.lists(st.fixed_dictionaries({"name": values, "type": values}), max_size=2) | values),
        "status": draw(st.sampled_from(["online", "dnd"]) | values),
        "afk": draw(st.booleans() | values),
        "nonce": draw(values),
    }
    for key in draw(st.sets(st.sampled_from(sorted(fields)))):
        del fields[key]
    op = draw(st.sampled_from([3, 4, 8, 31, 43]) | values)
    return dump({"op": op, "d": fields})


bodies = st.binary(max_size=200) | values.map(dump) | query_bodies() | command_bodies()


class Asker:
    """Asks rateway whether it lives, from a thread."""

    def __init__(self, uri: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(uri))
        self._channel = self._connection.channel()
        self._queue = self._channel.queue_declare("", exclusive=True).method.queue
        self._answers = self._channel.consume(self._queue, auto_ack=True, inactivity_timeout=PATIENCE)

    def ask(self) -> None:
        """:raises AssertionError: no answer, or a wrong one."""
        self._channel.basic_publish("rateway-1", "cache", LIVES, pika.BasicProperties(reply_to=self._queue))
        method, _, body = next(self._answers)
        if method is None or not body or b"rateway-bot" not in body:
            raise AssertionError(f"rateway answers no more: {body!r}")

    def close(self) -> None:
        self._connection.close()


class InboxTests(WorldTestCase):
    """One rateway, and everything that can be thrown at it."""

    # The world has one shard, so that a guild's id in a command is always its own; whole member lists are asked for
    # more often than Discord likes, for rateway leaves that to bots.
    expected_breaches = frozenset({"member-list-limit"})

    async def survives(self, throw: Callable[[raw.RawPublisher, Asker], None]) -> tuple[Simulator, Program, Worker]:
        """rateway and its connections outlive what a thread does to it, and nothing is delivered twice."""
        simulator, program, worker = await self.up(settings={"MESSAGE_CACHE_SIZE": 5})
        await self.until(lambda: "GUILD_CREATE" in worker.names(), "a guild")

        def run() -> None:
            with raw.RawPublisher(self.amqp) as publisher, closing(Asker(self.amqp)) as asker:
                asker.ask()
                throw(publisher, asker)

        await deferToThread(run)
        simulator.dispatch(0, "TEST", b'"still here"')
        await self.until(lambda: "TEST" in worker.names(), "an event after all this")
        self.assertEqual(await worker.command(1, presence("alive"), 0), {"status": "sent"})
        self.assertEqual((len(simulator.connections), simulator.closes), (1, []))
        self.assertEqual(sum(CONNECTED in line for line in program.lines), 1, program.text[-6000:])
        self.assertEqual(await program.stop(), 0)
        self.assertEqual(await self.vhost.depth("rateway-incoming-1"), 0)
        return simulator, program, worker

    async def fuzz(self, key: str, bodies: st.SearchStrategy[bytes], headers: st.SearchStrategy[bytes]) -> None:
        """Messages made of these, one after the other."""

        def throw(publisher: raw.RawPublisher, asker: Asker) -> None:
            @fuzzed
            @given(bodies, headers)
            def lives(body: bytes, header: bytes) -> None:
                publisher.publish("rateway-1", key, header, body)
                asker.ask()

            lives()

        await self.survives(throw)

    async def test_any_query(self) -> None:
        """Any body by the routing key ``cache``, answered by whatever reply_to and correlation_id it has."""
        await self.fuzz("cache", bodies, headers())

    async def test_any_command(self) -> None:
        """Any body by the routing key ``gateway``, for shard 0; Discord never gets what it would close for."""
        header = raw.properties(raw.HEADERS, raw.table({"shard_id": raw.integer("B", 0)}))
        await self.fuzz("gateway", bodies | command_bodies(), st.just(header))

    async def test_any_header_table(self) -> None:
        """Any properties and any header table, of every type AMQP has, nested and repeated, with a good command."""
        await self.fuzz("gateway", st.just(dump(presence("x"))), headers())

    async def test_extremes(self) -> None:
        """Bodies that are empty, huge, or nested for ever; tables nested for ever; keys and names at their limits."""
        nested, table = b"V", raw.table({"a": b"V"})
        for _ in range(5000):
            nested = b"A" + raw.long(nested)
            table = raw.table({"a": b"F" + table})
        header = raw.properties(raw.HEADERS, raw.table({"shard_id": raw.integer("l", 0)}))
        messages: list[tuple[str, bytes, bytes]] = [
            ("cache", raw.properties(0), b""),
            ("cache", raw.properties(0), b"[" * 2_000_000),
            ("cache", raw.properties(0), b'{"a":' * 500_000),
            ("cache", raw.properties(0), b'{"type":"' + b"x" * 3_000_000 + b'","arguments":[]}'),
            ("cache", raw.properties(0), b'{"type":"Guild","arguments":[' + b"9" * 1_000_000 + b"]}"),
            ("cache", raw.properties(0), b" " * 9_000_000 + LIVES),
            ("gateway", header, b"x" * 9_000_000),
            ("gateway", header, dump({"op": 3, "d": {"x": "y" * 4000}})),
            ("gateway", raw.properties(raw.HEADERS, raw.table({"shard_id": nested})), dump(presence("x"))),
            ("gateway", raw.properties(raw.HEADERS, table), dump(presence("x"))),
            ("gateway", raw.properties(raw.REPLY_TO, raw.short(b"\xff" * 255)), b"{}"),
            ("cache", raw.properties(raw.REPLY_TO, raw.short("no.such.queue")), LIVES),
            (
                "cache",
                raw.properties(raw.CORRELATION_ID, raw.short(b"\xfe" * 255)),
                LIVES[:-1] + b',"return_routing_key":"x"}',
            ),
            ("cache", raw.properties(0), LIVES[:-1] + b',"return_routing_key":"cache"}'),
            ("cache", raw.properties(0), LIVES[:-1] + b',"return_routing_key":"gateway"}'),
            ("cache", raw.properties(raw.REPLY_TO, raw.short("rateway-incoming-1")), LIVES),
        ]

        def throw(publisher: raw.RawPublisher, asker: Asker) -> None:
            for key, properties, body in messages:
                publisher.publish("rateway-1", key, properties, body)
                asker.ask()

        _, program, _ = await self.survives(throw)
        self.assertTrue(program.said("too long"), program.text[-3000:])

    async def test_damaged_tables_end_at_the_broker(self) -> None:
        """A table whose lengths lie is refused by the broker, with its sender's connection; rateway hears nothing."""
        damaged = [
            raw.properties(raw.HEADERS, struct.pack(">I", 1000) + b"\1aV"),
            raw.properties(raw.HEADERS, raw.long(b"\x09aV")),
            raw.properties(raw.HEADERS, raw.table({"a": b"S" + struct.pack(">I", 999) + b"x"})),
            raw.properties(raw.HEADERS, raw.table({"a": b"Z1234"})),
            raw.properties(raw.HEADERS, raw.table({"a": b"V"}) + b"and more"),
            raw.properties(raw.HEADERS),
            b"\xff\xfe",
        ]

        def throw(publisher: raw.RawPublisher, asker: Asker) -> None:
            for header in damaged:
                with raw.RawPublisher(self.amqp) as victim:
                    self.assertRaises(raw.Closed, victim.publish, "rateway-1", "gateway", header, b"{}")
                asker.ask()

        _, program, _ = await self.survives(throw)
        self.assertFalse(program.said("can't be read"), program.text[-3000:])

    async def test_a_thousand_at_once(self) -> None:
        """A thousand queries, good and bad, sent without waiting: each is answered, by its correlation_id."""
        _, program, worker = await self.up()
        await self.until(lambda: "GUILD_CREATE" in worker.names(), "a guild")
        answers: dict[int, Any] = {}
        for number in range(1000):
            body = LIVES if number % 3 else b"garbage %d" % number
            asked = worker.ask(1, "cache", body)
            asked.addCallback(partial(answers.__setitem__, number))
        await self.until(lambda: len(answers) == 1000, "an answer to each")
        for number, answer in answers.items():
            self.assertEqual(bool(answer.body), bool(number % 3))
            self.assertEqual("error" in (answer.properties.headers or {}), not number % 3)
        self.assertEqual(await program.stop(), 0)
