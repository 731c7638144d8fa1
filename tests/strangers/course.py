"""What every library goes through: a start, messages, lost connections, ops 7 and 9, a stream of events, an end."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import msgspec
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from rateway.simulator.options import SimulatorOptions
from rateway.simulator.simulator import Simulator
from rateway.simulator.world.happenings.mixes import PRESETS
from scripts import strangers

from .stranger import Stranger

SHARDS = 2
_BOT = b"900000000000000001"
TOKEN = base64.b64encode(_BOT).decode() + ".stranger.of-no-use-elsewhere"
"""Of Discord's form, whose first part says whose it is: hikari wants to know."""

_INTERVAL = 5.0
_HANDFUL = 50
_AWAY = 3
"""Messages written while a shard is away."""


class CourseTestCase(TestCase):
    """One library's tests.

    :cvar client: the script of its bot.
    :cvar resume_code: what it closes with in order to resume: Discord ends the session at 1000 and 1001 only.
    :cvar anew_code: what it closes with in order to identify anew, its session being over.
    :cvar end_code: what it closes with for good.
    :cvar beats_at_once: it sends its first heartbeat right after HELLO, instead of a random part of the interval later;
        Discord accepts both.
    :cvar minds_window: it keeps five seconds between two IDENTIFYs of a shard, whatever happens.
    :cvar resumes_in_place: after op 9 true it sends RESUME on the connection it has.
    """

    client: ClassVar[str]
    resume_code: ClassVar[int]
    anew_code: ClassVar[int]
    end_code: ClassVar[int]
    beats_at_once: ClassVar[bool] = True
    minds_window: ClassVar[bool] = True
    resumes_in_place: ClassVar[bool] = False
    timeout = 300

    simulator: Simulator
    stranger: Stranger

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        if not strangers.installed():
            self.fail("the libraries are not installed: run `python -m scripts.strangers`, which needs the network")
        self._written = 0
        self._said: dict[int, list[tuple[str, str]]] = {shard: [] for shard in range(SHARDS)}

    async def begin(self, transport: str, **options: Any) -> None:
        """A Discord and a bot, whose shards are ready with the right guilds, over the transport asked for."""
        usual = {"shards": SHARDS, "max_concurrency": SHARDS, "guilds": 5, "token": TOKEN, "record_events": True}
        chosen = SimulatorOptions(**{**usual, "heartbeat_interval": _INTERVAL, **options})
        self.simulator = Simulator(self.reactor, chosen)
        await self.simulator.start()
        self.addCleanup(self.simulator.stop)
        self.stranger = Stranger(self.reactor, self.client, self.simulator.api_url, TOKEN, transport)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.stranger.remove()))
        for shard in range(SHARDS):
            await self.assert_ready(shard, 1)
        wanted = {"none": None, "payload": None, "identify": None, "zlib": "zlib-stream", "zstd": "zstd-stream"}
        self.assertEqual({each.query.get("compress") for each in self.simulator.connections}, {wanted[transport]})
        if transport in ("payload", "identify"):
            self.assertTrue(all(each.d["compress"] is True for each in self.simulator.identifies))

    def guilds(self, shard: int) -> dict[int, int]:
        """The members of each guild a shard owns, as the world has them."""
        return {guild.id: len(guild.members) for guild in self.simulator.world.guilds_of(shard, SHARDS)}

    async def assert_ready(self, shard: int, count: int) -> None:
        """The shard's READY number ``count`` has its guilds, and each of them comes with its members."""
        reports, guilds = self.stranger.reports, self.guilds(shard)
        self.assertGreater(len(guilds), 1)
        ready = f"READY number {count} of shard {shard}"
        await self.stranger.until(lambda: len(reports.ready.get(shard, ())) == count, ready)
        self.assertEqual(reports.ready[shard][-1], guilds.keys())
        await self.stranger.until(lambda: guilds.keys() <= reports.members.keys(), f"the guilds of shard {shard}")
        self.assertEqual({id: reports.members[id] for id in guilds}, guilds)

    def say(self, shard: int, count: int) -> None:
        """Somebody writes so many messages in a guild of the shard's; it is remembered what and when."""
        guild = self.simulator.world.guilds_of(shard, SHARDS)[0]
        author = next(member for id, member in guild.members.items() if id != int(_BOT))
        for _ in range(count):
            self._written += 1
            id, content = str(310_000_000_000_000_000 + self._written), f"été {self._written} \N{SNOWMAN}"
            d = {
                "id": id,
                "channel_id": str(guild.text_channels()[0]),
                "guild_id": str(guild.id),
                "channel_type": 0,
                "type": 0,
                "author": author["user"],
                "member": {key: value for key, value in author.items() if key != "user"},
                "content": content,
                "timestamp": "2026-04-05T06:07:08.901000+00:00",
                "edited_timestamp": None,
                "tts": False,
                "mention_everyone": False,
                "mentions": [],
                "mention_roles": [],
                "attachments": [],
                "embeds": [],
                "components": [],
                "pinned": False,
                "flags": 0,
            }
            self.simulator.emit(guild.id, "MESSAGE_CREATE", d)
            self._said[shard].append((id, content))

    async def assert_heard(self, shard: int) -> None:
        """All messages to a shard have come, each once, in order."""
        heard = self.stranger.reports.messages.setdefault(shard, [])
        said = self._said[shard]
        await self.stranger.until(lambda: len(heard) >= len(said), f"{len(said)} messages by shard {shard}")
        self.assertEqual(heard, said)

    # --- interruptions

    async def assert_resumes(
        self, shard: int, interrupt: Callable[[], object], *, in_place: bool = False, sent: int = 0
    ) -> None:
        """The shard resumes its session after an interruption, where it should, from where it was; nothing is lost.

        :param interrupt: takes the connection from the session, or makes the client give it up.
        :param in_place: it is resumed on the same connection.
        :param sent: events that come with the interruption, and are to be heard before it.
        """
        simulator, reports = self.simulator, self.stranger.reports
        self.say(shard, _AWAY)
        await self.assert_heard(shard)
        session, identified = simulator.session(shard), len(simulator.identifies)
        record = simulator.connection(shard).record
        resumed, seq, started = reports.resumed.get(shard, 0), session.seq, len(reports.ready[shard])
        interrupt()
        if session.connection is not None:
            closed = f"shard {shard} to close its connection"
            await simulator.until(lambda: record.client_code is not None, what=closed)
        self.say(shard, _AWAY)
        await self.stranger.until(lambda: reports.resumed.get(shard, 0) == resumed + 1, f"RESUMED of shard {shard}")
        await self.assert_heard(shard)
        last = [each for each in simulator.resumes if each.shard == shard][-1]
        self.assertEqual((last.session_id, last.seq, last.answer), (session.id, seq + sent, "resumed"))
        self.assertEqual(last.replayed, _AWAY)
        if in_place:
            self.assertEqual(last.connection, record.number)
        else:
            self.assertNotEqual(last.connection, record.number)
            self.assertEqual(last.host, simulator.resume_host)
            self.assertNotEqual(last.host, simulator.host)
        self.assertEqual([each.shard for each in simulator.identifies[identified:] if each.shard == shard], [])
        self.assertEqual(len(reports.ready[shard]), started)

    async def assert_reconnects(self, shard: int) -> None:
        """Op 7, right after a few messages: these are heard, then the shard closes by a code that keeps the session."""
        record = self.simulator.connection(shard).record

        def burst() -> None:
            self.say(shard, _AWAY)
            self.simulator.request_reconnect(shard)

        await self.assert_resumes(shard, burst, sent=_AWAY)
        self.assertEqual(record.client_code, self.resume_code)

    async def assert_resumes_when_told(self, shard: int) -> None:
        """Op 9 true: the session is kept, and resumed on another connection or on the one there is."""
        record = self.simulator.connection(shard).record
        await self.assert_resumes(
            shard, lambda: self.simulator.invalidate(shard, resumable=True), in_place=self.resumes_in_place
        )
        self.assertEqual(record.client_code, None if self.resumes_in_place else self.resume_code)

    async def assert_starts_anew(self, shard: int) -> None:
        """Op 9 false: a fresh IDENTIFY at the usual address, a new session, all guilds again; the old id is dropped."""
        simulator, reports = self.simulator, self.stranger.reports
        old, resumes, identified = simulator.session(shard), len(simulator.resumes), len(simulator.identifies)
        record = simulator.connection(shard).record
        for id in self.guilds(shard):
            reports.members.pop(id)
        simulator.invalidate(shard, resumable=False)
        await self.assert_ready(shard, len(reports.ready[shard]) + 1)
        self.assertEqual(record.client_code, self.anew_code)
        self.assertNotIn(old.id, [each.session_id for each in simulator.resumes[resumes:]])
        mine = [each for each in simulator.identifies[identified:] if each.shard == shard]
        self.assertEqual([(each.answer, each.host) for each in mine], [("ready", simulator.host)])
        self.assertNotEqual(simulator.session(shard).id, old.id)
        self.say(shard, _AWAY)
        await self.assert_heard(shard)

    async def window_over(self, shard: int) -> None:
        """Wait until the shard may identify again."""
        last = [each.at for each in self.simulator.identifies if each.shard == shard][-1]
        end = last + self.simulator.options.identify_window
        await self.stranger.until(lambda: self.reactor.seconds() > end, "the end of the identify window")

    async def run_course(self, transport: str) -> None:
        """The whole of it, both shards at the same time, each in an order of its own.

        A session is ended at once, where the library must wait before it may identify again, if it minds that at all.
        """
        await self.begin(transport)
        simulator = self.simulator

        async def one(shard: int, *interruptions: str) -> None:
            self.say(shard, 10)
            await self.assert_heard(shard)
            for interruption in interruptions:
                if interruption == "op 7":
                    await self.assert_reconnects(shard)
                elif interruption == "op 9":
                    await self.assert_resumes_when_told(shard)
                elif interruption == "anew":
                    await self.assert_starts_anew(shard)
                elif interruption == "window":
                    await self.window_over(shard)
                elif interruption == "rst":
                    await self.assert_resumes(shard, lambda: simulator.drop(shard, "rst"))
                else:
                    await self.assert_resumes(shard, lambda: simulator.drop(shard, "fin"))

        interrupted = ("op 9", "fin", "op 7", "rst")
        anew = ("anew", *interrupted) if self.minds_window else (*interrupted, "window", "anew")
        orders = (("rst", "op 7", "fin", "op 9"), anew)
        both = [Deferred.fromCoroutine(one(shard, *order)) for shard, order in enumerate(orders)]
        # Not gatherResults, which would leave one shard's course running when the other's has failed.
        for _, result in await DeferredList(both, consumeErrors=True):
            if isinstance(result, Failure):
                result.raiseException()
        await self.assert_whole()

    async def run_traffic(self, transport: str, seconds: float = 4.0, rate: float = 20.0) -> None:
        """A stream of events of all kinds, during which both shards lose their connection once."""
        await self.begin(transport)
        simulator, reports = self.simulator, self.stranger.reports
        begin, sent = self.reactor.seconds(), simulator.sent
        simulator.traffic.start(rate)
        for shard in range(SHARDS):
            share = sent + (shard + 1) / (SHARDS + 1) * seconds * rate
            await self.stranger.until(partial(self._sent_more_than, share), f"{share:.0f} events")
            simulator.drop(shard, "rst" if shard else "fin")
        await self.stranger.until(lambda: self.reactor.seconds() > begin + seconds, "the end of the traffic")
        simulator.traffic.stop()
        everywhere = dict.fromkeys(range(SHARDS), 1)
        await self.stranger.until(lambda: reports.resumed == everywhere, "RESUMED of both shards")
        self.assertGreater(simulator.sent - sent, seconds * rate / 2)
        self.assertEqual([each.answer for each in simulator.resumes], ["resumed"] * SHARDS)
        self.assertEqual(len(simulator.identifies), SHARDS)
        await self.assert_whole()

    async def run_everything(self, transport: str, *, but: str = "", count: int = 1000) -> None:
        """Events of every kind there is, guilds that fail and are joined and left among them, as fast as they come.

        :param but: a family of events that the library can't read.
        """
        mix = {family: weight for family, weight in PRESETS["everything"].items() if family != but}
        await self.begin(transport, mix=mix)
        simulator, reports = self.simulator, self.stranger.reports
        sent = simulator.sent
        for _ in range(count // _HANDFUL):
            before = simulator.sent
            simulator.traffic.happen(_HANDFUL)
            self.assertGreater(simulator.sent, before)
            # So that the bot isn't given more than it can take in.
            await self.stranger.until(lambda: len(reports.dispatches) >= len(simulator.events), "what has happened")
        self.assertGreater(simulator.sent - sent, count / 2)
        await self.assert_whole()
        # Nothing was cut off meanwhile: what it complains of is what it couldn't read.
        self.assertFalse(any("Traceback" in line for line in self.stranger.log), self.stranger.blame("it complains"))

    def _sent_more_than(self, count: float) -> bool:
        return self.simulator.sent > count

    # --- the end

    async def assert_whole(self, *, expected_breaches: frozenset[str] = frozenset()) -> None:
        """Every event that was sent was reported once, the bot leaves in order, and broke no other rule."""
        simulator, reports = self.simulator, self.stranger.reports
        sent = [(each.name, msgspec.json.decode(each.d)) for each in simulator.events]

        def heard() -> list[tuple[str, Any]]:
            # RESUMED belongs to a connection; it is no event of the session.
            return [each for each in reports.dispatches if each[0] != "RESUMED"]

        await self.stranger.until(lambda: len(heard()) >= len(sent), f"{len(sent)} events")
        self.assertEqual(_lines(heard()) - _lines(sent), Counter(), "reported though not sent, or once too often")
        self.assertEqual(_lines(sent) - _lines(heard()), Counter(), "sent, and not reported")
        self.assert_beating()
        self.assertEqual(simulator.wasted, [])
        living = [simulator.connection(shard).record for shard in range(SHARDS)]
        self.assertEqual(await self.stranger.leave(), 0, self.stranger.blame("the bot left with an error"))
        gone = "the end of the bot's connections"
        await simulator.until(lambda: all(each.lost_at is not None for each in living), what=gone)
        self.assertEqual([each.client_code for each in living], [self.end_code] * SHARDS)
        breaches = [each for each in simulator.breaches if each.rule not in expected_breaches]
        self.assertEqual(breaches, [], self.stranger.blame("the bot broke rules"))

    def assert_beating(self) -> None:
        """There were heartbeats on each connection that lived for an interval, each with a sequence or null."""
        for connection in self.simulator.connections:
            frames = [each for each in self.simulator.frames if each.connection == connection.number]
            beats = [each for each in frames if each.op == 1]
            if self.beats_at_once and frames:
                self.assertIn(1, [each.op for each in frames[:2]])
            until = connection.lost_at or self.reactor.seconds()
            if until - connection.at > 1.5 * _INTERVAL:
                self.assertTrue(beats, f"no heartbeat on connection {connection.number}")
            self.assertTrue(all(each.d is None or type(each.d) is int for each in beats), beats)


def _lines(events: list[tuple[str, Any]]) -> Counter[bytes]:
    """The events as what can be counted."""
    return Counter(msgspec.json.encode(each, order="deterministic") for each in events)
