"""The shard as a service: what it tells Discord, what it gives to the sink, and how it ends."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rateway.errors import FatalError, RequestRefused, Unavailable
from rateway.gateway.conduct import ANSWER_TIMEOUT, HELLO_TIMEOUT, PAUSE_LIMIT
from rateway.interfaces import IDispatchSink, IFatalReporter, IIdentifyGate
from rateway.model.closecodes import OwnClose
from rateway.model.session import Session
from rateway.shard.protocol import CLOSE_TIMEOUT

from .discord import (
    GENERAL,
    HOME,
    INTERVAL,
    SESSION,
    TOKEN,
    Discord,
    Gate,
    Line,
    Reporter,
    Sink,
    active,
    event,
    ready,
    resumed,
)
from .wire import BINARY, close_frame, frame, plug

Step = Callable[[Discord, list[Deferred[None]]], object]


def heartbeats(payloads: list[dict[str, Any]]) -> list[object]:
    """What the heartbeats among the payloads carry."""
    return [payload["d"] for payload in payloads if payload["op"] == 1]


class FakesTests(SynchronousTestCase):
    """The fakes are what they claim to be."""

    def test_interfaces(self) -> None:
        """Sink, gate and reporter have the methods of the real ones."""
        verifyObject(IDispatchSink, Sink())
        verifyObject(IIdentifyGate, Gate())
        verifyObject(IFatalReporter, Reporter())


class StartTests(SynchronousTestCase):
    """From start to active."""

    def test_ac01_identify(self) -> None:
        """Permit, connection with version and encoding, HELLO, IDENTIFY, READY."""
        discord = Discord()
        discord.shard.startService()
        self.assertEqual(discord.urls, [f"{GENERAL}/?v=10&encoding=json"])
        (identify,) = discord.greet().heard()
        self.assertEqual(identify["op"], 2)
        self.assertEqual(identify["d"]["token"], TOKEN)
        self.assertEqual(identify["d"]["shard"], [7, 16])
        self.assertEqual(discord.gate.told, ["acquire", "used"])
        discord.line.say(ready())
        self.assertEqual(discord.gate.told, ["acquire", "used", "settled"])
        self.assertEqual(discord.shard.state, "active")
        self.assertEqual(discord.shard.session, Session("new-session", HOME, 1))
        ((shard_id, session, dispatches),) = discord.sink.takes
        self.assertEqual((shard_id, session), (7, Session("new-session", HOME, 1)))
        self.assertEqual([(seq, name) for seq, name, _ in dispatches], [(1, "READY")])

    def test_no_connection_before_the_permit(self) -> None:
        """Until the gate says so, nobody is dialled."""
        discord = Discord()
        discord.gate.generous = False
        discord.shard.startService()
        self.assertEqual(discord.urls, [])
        discord.gate.waiting[0].callback(None)
        self.assertEqual(len(discord.urls), 1)

    def test_resume(self) -> None:
        """A kept session is resumed on its own host, with its sequence, and nobody is asked."""
        discord = Discord(SESSION)
        discord.shard.startService()
        self.assertTrue(discord.urls[0].startswith(HOME))
        self.assertEqual(
            discord.greet().heard(), [{"op": 6, "d": {"token": TOKEN, "session_id": SESSION.id, "seq": 10}}]
        )
        discord.line.say(event(11), event(12), resumed(13))
        self.assertEqual(discord.shard.state, "active")
        self.assertEqual(discord.sink.names(), ["MESSAGE_CREATE", "MESSAGE_CREATE", "RESUMED"])
        self.assertEqual(discord.shard.session, SESSION.at(13))
        self.assertEqual(discord.gate.told, [])

    def test_refill(self) -> None:
        """A session whose cache is lost is resumed, all of its replay taken; then a new one begins by permit."""
        discord = Discord(SESSION, refill=True)
        discord.gate.generous = False
        discord.shard.startService()
        discord.greet()
        discord.line.say(event(11), resumed(12), event(13))
        self.assertEqual((discord.shard.state, discord.gate.waiting), ("active", []))
        discord.clock.advance(0)
        old = discord.line
        old.say(event(14))
        discord.gate.waiting.pop().callback(None)
        self.assertEqual(discord.sink.seqs(), [11, 12, 13, 14])
        (identify,) = [payload for payload in discord.greet().heard() if payload["op"] == 2]
        self.assertEqual(identify["d"]["shard"], [7, 16])
        self.assertNotIn(1000, old.closed_with())
        discord.line.say({"op": 1})
        self.assertEqual(discord.line.heard()[-1], {"op": 1, "d": None})
        discord.line.say(ready(), event(2))
        self.assertEqual((discord.shard.session, discord.sink.forgotten), (Session("new-session", HOME, 2), []))
        discord.line.close(4000)
        self.assertEqual([payload["op"] for payload in discord.next_line().heard()], [6])
        discord.line.say(resumed(3))
        discord.clock.advance(1)
        self.assertEqual(discord.gate.waiting, [])

    def test_refill_is_asked_for_again(self) -> None:
        """A connection that is lost before the permit comes is resumed, and the permit asked for anew."""
        discord = Discord(SESSION, refill=True)
        discord.gate.generous = False
        discord.shard.startService()
        discord.greet().say(resumed(11))
        discord.clock.advance(0)
        discord.line.close(4000)
        discord.next_line().say(resumed(12))
        discord.clock.advance(0)
        self.assertEqual(discord.gate.told.count("acquire"), 2)
        discord.shard.stop()
        self.assertEqual(discord.gate.told, ["acquire", "cancel", "acquire", "cancel"])

    def test_refill_waits_for_room(self) -> None:
        """While nobody takes events no session is given up: the permit is given back, and asked for again after."""
        discord = Discord(SESSION, refill=True)
        discord.gate.generous = False
        discord.shard.startService()
        discord.greet().say(resumed(11))
        discord.clock.advance(0)
        discord.shard.pause()
        discord.gate.waiting.pop().callback(None)
        self.assertEqual((discord.gate.told, discord.shard.state), (["acquire", "give_back"], "active"))
        discord.shard.resume()
        self.assertEqual(discord.gate.told[-1], "acquire")

    def test_a_gate_that_fails(self) -> None:
        """A gate that can't answer is asked again after a while; a broken one is logged."""
        for error, logged in ((Unavailable("the parent is gone"), 0), (ZeroDivisionError("a bug"), 1)):
            discord = Discord()
            discord.gate.generous = False
            discord.shard.startService()
            discord.gate.waiting.pop().errback(error)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), logged)
            discord.clock.advance(1)
            self.assertEqual(len(discord.gate.waiting), 1)

    def test_a_permit_that_is_too_old(self) -> None:
        """HELLO takes longer than 2 s: the permit goes back, the connection stays, and a new permit is asked for."""
        discord = Discord()
        discord.shard.startService()
        discord.clock.advance(2)
        self.assertEqual(discord.gate.told, ["acquire", "give_back"])
        discord.gate.generous = False
        discord.greet()
        self.assertEqual(discord.line.heard(), [])
        discord.clock.advance(INTERVAL / 2)
        self.assertEqual(discord.line.heard(), [{"op": 1, "d": None}])
        discord.gate.waiting[0].callback(None)
        self.assertEqual([payload["op"] for payload in discord.line.heard()], [2])
        self.assertEqual(discord.gate.told, ["acquire", "give_back", "acquire", "used"])

    def test_a_presence_in_identify(self) -> None:
        """PRESENCE goes out with IDENTIFY, with the shard's number; one that can't be used ends it."""
        discord = Discord(presence='{"status":"idle","activities":[{"name":"shard {{shard}}","type":0}]}')
        discord.shard.startService()
        (identify,) = discord.greet().heard()
        self.assertEqual(identify["d"]["presence"]["activities"][0]["name"], "shard 7")
        discord = Discord(presence="nonsense")
        discord.shard.startService()
        discord.greet()
        self.assertIn("PRESENCE", str(discord.fatal.errors[0]))


class EventTests(SynchronousTestCase):
    """What the sink gets."""

    def test_one_take_per_read(self) -> None:
        """All events of a read come in one call, byte for byte; the session bears the last sequence."""
        discord = active()
        texts = [
            b'{"t":"A","s":12,"op":0,"d":{"op":0,"t":"fake", "s":1,  "x":"\\u00e9\\/"}}',
            b'{"d":[1.50,1e3],"op":0,"s":15,"t":"B_NEW","unknown":{}}',
        ]
        discord.line.raw(b"".join(map(frame, texts)))
        (taken,) = discord.sink.takes
        self.assertEqual(
            taken,
            (
                7,
                SESSION.at(15),
                [(12, "A", b'{"op":0,"t":"fake", "s":1,  "x":"\\u00e9\\/"}'), (15, "B_NEW", b"[1.50,1e3]")],
            ),
        )

    def test_ready_in_the_middle_of_a_read(self) -> None:
        """A new session begins within a read: each take belongs to one session."""
        discord = Discord()
        discord.shard.startService()
        discord.greet()
        discord.line.say(ready(1, "first"), event(2), ready(1, "second"), event(2), event(3))
        self.assertEqual(
            [
                (session.id, session.seq, [seq for seq, *_ in dispatches])
                for _, session, dispatches in discord.sink.takes
            ],
            [("first", 2, [1, 2]), ("second", 3, [1, 2, 3])],
        )

    def test_ac39_a_gap_is_accepted(self) -> None:
        """5, then 9: later resumed with 9."""
        discord = active()
        discord.line.say(event(15), event(19))
        discord.line.wire.lose()
        resume = discord.next_line().heard()[0]
        self.assertEqual(resume["d"]["seq"], 19)

    def test_events_out_of_session_are_ignored(self) -> None:
        """An event before READY belongs to nobody."""
        discord = Discord()
        discord.shard.startService()
        discord.line.accept()
        discord.line.say(event(3))
        discord.line.hello()
        discord.line.say(event(4))
        self.assertEqual(discord.sink.takes, [])

    def test_ac38_unknown_ops_are_ignored(self) -> None:
        """Op 99 does nothing; an unknown event is forwarded."""
        discord = active()
        discord.line.say({"op": 99, "d": 1}, event(12, "SOMETHING_NEW"))
        self.assertEqual(discord.sink.names(), ["SOMETHING_NEW"])
        self.assertEqual(discord.shard.state, "active")

    def test_compressed(self) -> None:
        """zlib-stream: each connection has a stream of its own."""
        discord = Discord(SESSION, compression="zlib-stream")
        discord.shard.startService()
        self.assertTrue(discord.urls[0].endswith("&compress=zlib-stream"))
        for number in range(2):
            stream = zlib.compressobj()

            def encode(text: bytes, stream: Any = stream) -> tuple[bytes, int]:
                return stream.compress(text) + stream.flush(zlib.Z_SYNC_FLUSH), BINARY

            if number:
                discord.clock.advance(1)
            discord.line.encode = encode
            discord.greet()
            discord.line.say(event(11 + 2 * number), resumed(12 + 2 * number))
            self.assertEqual(discord.shard.state, "active")
            discord.line.wire.lose()
        self.assertEqual(discord.sink.seqs(), [11, 12, 13, 14])


class HeartbeatTests(SynchronousTestCase):
    """Heartbeats."""

    def test_ac03_heartbeats(self) -> None:
        """The first after a random part of the interval, then one each interval; null before READY."""
        discord = Discord(chance=0.25)
        discord.shard.startService()
        discord.greet().heard()
        discord.clock.advance(INTERVAL / 4 - 0.01)
        self.assertEqual(heartbeats(discord.line.heard()), [])
        discord.clock.advance(0.01)
        self.assertEqual(heartbeats(discord.line.heard()), [None])
        discord.line.say({"op": 11}, ready(1), event(5))
        discord.clock.advance(INTERVAL)
        self.assertEqual(heartbeats(discord.line.heard()), [5])

    def test_ac04_op1(self) -> None:
        """Op 1 is answered at once, the schedule stays."""
        discord = active()
        discord.clock.advance(1)
        discord.line.say({"op": 1, "d": None})
        self.assertEqual(heartbeats(discord.line.heard()), [11])
        discord.line.say({"op": 11})
        discord.clock.advance(INTERVAL / 2 - 1)
        self.assertEqual(heartbeats(discord.line.heard()), [11])

    def test_ac05_zombie(self) -> None:
        """No ACK at the next heartbeat's time: closed by our code, resumed on the session's host."""
        discord = active()
        discord.clock.advance(INTERVAL / 2)
        discord.clock.advance(INTERVAL)
        self.assertEqual(discord.line.closed_with(), [OwnClose.ZOMBIE])
        discord.line.wire.lose()
        self.assertEqual(discord.next_line().heard()[0]["d"]["seq"], 11)
        self.assertTrue(discord.urls[-1].startswith(HOME))

    def test_ac06_ack_without_keys(self) -> None:
        """A bare op 11 is an ACK, and gives the latency."""
        discord = active()
        self.assertIsNone(discord.shard.latency)
        for _ in range(3):
            discord.clock.advance(INTERVAL / 2)
            discord.clock.advance(0.125)
            discord.line.say({"op": 11})
            discord.clock.advance(INTERVAL / 2 - 0.125)
        self.assertEqual(discord.shard.state, "active")
        self.assertEqual(discord.shard.latency, 0.125)

    def test_an_ack_behind_a_burst_counts(self) -> None:
        """The ACK is booked before the sink works upon the events of the same read."""
        discord = active()
        discord.clock.advance(INTERVAL / 2)
        seen: list[float | None] = []
        discord.sink.meanwhile = lambda: seen.append(discord.shard.latency)
        discord.line.say(event(12), event(13), {"op": 11})
        self.assertEqual(seen, [0.0])

    def test_ac21_heartbeats_flow_during_a_replay(self) -> None:
        """5,000 events are replayed over minutes: all forwarded once and in order, heartbeats on time."""
        discord = Discord(SESSION)
        discord.shard.startService()
        discord.greet().heard()
        beats = 0
        for start in range(11, 5011, 50):
            discord.clock.advance(2)
            payloads = discord.line.heard()
            beats += len(heartbeats(payloads))
            discord.line.say(*(event(seq) for seq in range(start, start + 50)), *[{"op": 11}] * len(payloads))
            self.assertEqual(discord.shard.state, "resuming")
        discord.line.say(resumed(5011))
        self.assertEqual(discord.shard.state, "active")
        self.assertEqual(discord.sink.seqs(), list(range(11, 5012)))
        self.assertEqual(beats, 5)


class ReconnectTests(SynchronousTestCase):
    """Reconnecting."""

    def test_ac08_ac09_op7_behind_a_burst(self) -> None:
        """Op 7 in the middle of a read: what is there is processed first, and resumed behind; nothing twice."""
        discord = active()
        discord.line.say(event(12), {"op": 7, "d": None}, event(13))
        self.assertEqual(discord.line.closed_with(), [OwnClose.RECONNECT])
        discord.line.say(event(14))
        self.assertEqual(discord.sink.seqs(), [12, 13])
        discord.line.wire.lose()
        self.assertEqual(discord.next_line().heard()[0]["d"]["seq"], 13)
        discord.line.say(event(14), resumed(15))
        self.assertEqual(discord.sink.seqs(), [12, 13, 14, 15])

    def test_the_old_connection_is_aborted_if_it_lingers(self) -> None:
        """A close that Discord doesn't follow doesn't delay the next connection, nor keep the socket."""
        discord = active()
        discord.line.say({"op": 7, "d": None})
        old = discord.line
        discord.clock.advance(0.5)
        self.assertEqual(len(discord.lines), 2)
        discord.clock.advance(CLOSE_TIMEOUT)
        self.assertTrue(old.wire.aborted)
        old.wire.lose()
        self.assertEqual(discord.shard.state, "connecting")

    def test_ac10_reset(self) -> None:
        """A lost connection is resumed within half a second."""
        discord = active()
        discord.line.wire.lose()
        discord.clock.advance(0.5)
        self.assertEqual([payload["op"] for payload in discord.greet().heard()], [6])

    def test_ac14_a_session_that_is_gone(self) -> None:
        """4007: sink and shard forget the session; IDENTIFY by permit on the general URL."""
        discord = active()
        discord.line.close(4007)
        self.assertEqual(discord.sink.forgotten, [7])
        self.assertIsNone(discord.shard.session)
        self.assertEqual([payload["op"] for payload in discord.next_line().heard()], [2])
        self.assertTrue(discord.urls[-1].startswith(GENERAL))

    def test_ac16_a_wrong_token(self) -> None:
        """4004 is reported, and nothing more is tried."""
        discord = Discord()
        discord.shard.startService()
        discord.greet()
        discord.line.close(4004)
        (error,) = discord.fatal.errors
        self.assertIsInstance(error, FatalError)
        self.assertIn("DISCORD_TOKEN", str(error))
        discord.clock.advance(3600)
        self.assertEqual(len(discord.urls), 1)
        self.assertEqual(discord.clock.getDelayedCalls(), [])

    def test_ac18_op9_false(self) -> None:
        """The RESUME is refused: forgotten, and identified after 1-5 s."""
        discord = Discord(SESSION)
        discord.shard.startService()
        discord.greet()
        discord.line.say({"op": 9, "d": False})
        self.assertEqual(discord.line.closed_with(), [OwnClose.RECONNECT])
        self.assertEqual(discord.sink.forgotten, [7])
        discord.clock.advance(0.9)
        self.assertEqual(len(discord.urls), 1)
        self.assertEqual([payload["op"] for payload in discord.next_line().heard()], [2])

    def test_ac19_op9_true(self) -> None:
        """The session is kept, and resumed."""
        discord = active()
        discord.line.say({"op": 9, "d": True})
        self.assertEqual([payload["op"] for payload in discord.next_line().heard()], [6])
        self.assertEqual(discord.sink.forgotten, [])

    def test_ac22_a_host_that_refuses(self) -> None:
        """The session's host refuses TCP: some tries, then RESUME by the general gateway."""
        discord = Discord(SESSION)
        discord.refuses = {HOME}
        discord.shard.startService()
        discord.next_line()
        self.assertEqual([url.startswith(HOME) for url in discord.urls], [True, True, True, False])
        self.assertEqual([payload["op"] for payload in discord.line.heard()], [6])

    def test_ac23_a_host_that_says_nothing(self) -> None:
        """Neither TCP nor upgrade nor HELLO: each ends after the same time, and is tried again."""
        discord = Discord(SESSION)
        discord.silent = {HOME}
        discord.shard.startService()
        discord.clock.advance(HELLO_TIMEOUT)
        discord.silent = set()
        discord.clock.advance(1)
        self.assertEqual(len(discord.lines), 1)
        discord.clock.advance(HELLO_TIMEOUT)
        self.assertTrue(discord.line.wire.aborted)
        discord.clock.advance(2)
        self.assertEqual(len(discord.lines), 2)
        discord.line.accept()
        discord.clock.advance(HELLO_TIMEOUT)
        self.assertEqual(discord.line.closed_with(), [OwnClose.TIMEOUT])

    def test_a_connection_that_comes_too_late(self) -> None:
        """A dialling that can't be cancelled and succeeds after its time: dropped."""
        discord = Discord(SESSION)
        discord.silent = {HOME}
        discord.shard.startService()
        ((dialling, line),) = discord.pending
        dialling.cancel = lambda: None  # type: ignore[method-assign]
        discord.clock.advance(HELLO_TIMEOUT)
        line.wire = plug(line.protocol)
        dialling.callback(line.protocol)
        self.assertTrue(line.wire.aborted)
        self.assertEqual(discord.shard.state, "waiting")

    def test_a_failure_after_the_dialling_was_given_up(self) -> None:
        """It changes nothing."""
        discord = Discord(SESSION)
        discord.silent = {HOME}
        discord.shard.startService()
        ((dialling, _),) = discord.pending
        dialling.cancel = lambda: None  # type: ignore[method-assign]
        discord.clock.advance(HELLO_TIMEOUT)
        dialling.errback(Failure(ConnectionRefusedError()))
        self.assertEqual(discord.shard.state, "waiting")

    def test_ac24_no_ready(self) -> None:
        """READY doesn't come: closed resumably, the permit settled, a new one asked for."""
        discord = Discord()
        discord.shard.startService()
        discord.greet()
        discord.clock.advance(ANSWER_TIMEOUT)
        self.assertEqual(discord.line.closed_with(), [OwnClose.TIMEOUT])
        discord.next_line()
        self.assertEqual(discord.gate.told, ["acquire", "used", "settled", "acquire", "used"])

    def test_ac36_a_ready_that_takes_long(self) -> None:
        """READY arrives piece by piece over a slow line: as long as pieces come, it is waited for."""
        discord = Discord()
        discord.shard.startService()
        discord.greet()
        data = frame(json.dumps(ready()).encode())
        for position in range(0, len(data), 16):
            discord.clock.advance(ANSWER_TIMEOUT / 4)
            discord.line.raw(data[position : position + 16])
            if heartbeats(discord.line.heard()):
                # Its ACK would come behind the large message; the zombie rule is another test's matter.
                assert discord.shard._speaker is not None
                discord.shard._speaker.pulse.acknowledged(discord.clock.seconds())
        self.assertEqual(discord.shard.state, "active")

    def test_ac35_ac37_what_cannot_be_read(self) -> None:
        """Broken JSON, no UTF-8, an event without name, a READY without session: resumable close, RESUME."""
        for junk in (b"{", b"\xff\xff", b'{"op":0,"d":{}}', b'{"op":0,"t":"READY","s":12,"d":{}}', b'{"op":10,"d":{}}'):
            discord = active()
            discord.line.raw(
                frame(b'{"op":0,"t":"A","s":12,"d":1}') + frame(junk) + frame(b'{"op":0,"t":"B","s":13,"d":1}')
            )
            self.assertEqual(discord.line.closed_with(), [OwnClose.UNDECODABLE], junk)
            self.assertEqual(discord.sink.seqs()[0], 12)
            seen = discord.sink.seqs()[-1]
            resume = discord.next_line().heard()[0]
            self.assertEqual((resume["op"], resume["d"]["seq"]), (6, seen))

    def test_an_unusable_resume_url(self) -> None:
        """A stored session whose URL is nonsense falls back to the general gateway."""
        discord = Discord(Session("s", "nonsense", 4))
        discord.shard.startService()
        self.assertEqual([payload["op"] for payload in discord.next_line().heard()], [6])
        self.assertTrue(discord.urls[-1].startswith(GENERAL))


class CommandTests(SynchronousTestCase):
    """Commands of bots."""

    payload = b'{"op":4,"d":{"guild_id":"1"}}'

    def send(self, discord: Discord, op: int = 4, payload: bytes | None = None, ttl: float = 30) -> Deferred[None]:
        """A command."""
        return discord.shard.send(op, payload or self.payload, discord.clock.seconds() + ttl)

    def test_sent_at_once(self) -> None:
        """An active shard sends what it is given, as it is."""
        discord = active()
        self.successResultOf(self.send(discord))
        self.assertEqual(discord.line.heard(), [json.loads(self.payload)])

    def test_criterion_44_rate_limited(self) -> None:
        """A whole list that Discord refuses is asked for again when it says; not in another session."""
        whole = b'{"op":8,"d":{"guild_id":"7","query":"","limit":0,"nonce":"mine"}}'
        limited = {"opcode": 8, "retry_after": 60.0, "meta": {"guild_id": "7", "nonce": "mine"}}
        for new_session in (False, True):
            discord = active()
            discord.line.say(event(2, "RATE_LIMITED", limited))
            self.successResultOf(self.send(discord, 8, whole))
            discord.line.say(event(3), event(4, "RATE_LIMITED", limited), event(5))
            if new_session:
                discord.line.say(ready(6, "another-session"))
            discord.clock.advance(30.0)
            self.failureResultOf(self.send(discord, 8, whole), RequestRefused)
            discord.clock.pump([1.0] * 30)
            self.assertEqual([payload["op"] for payload in discord.line.heard()].count(8), 1)
            discord.clock.advance(1.0)
            again = [payload for payload in discord.line.heard() if payload["op"] == 8]
            self.assertEqual(again, [] if new_session else [json.loads(whole)])

    def test_refused(self) -> None:
        """Ops that aren't a bot's, payloads over 4096 bytes, and a stopped shard: refused with a reason."""
        discord = active()
        for op in (0, 1, 2, 6, 99):
            self.assertIn(f"op {op}", str(self.failureResultOf(self.send(discord, op), RequestRefused).value))
        self.failureResultOf(self.send(discord, payload=b" " * 4097), RequestRefused)
        discord.shard.stopService()
        self.failureResultOf(self.send(discord), RequestRefused)
        self.assertEqual(discord.line.heard(), [])

    def test_ac41_a_flood(self) -> None:
        """500 commands: never more than 120 payloads in any 60 s, heartbeats included; none late, none lost."""
        discord = active()
        answers = [self.send(discord, ttl=3600) for _ in range(500)]
        times: list[float] = []
        for _ in range(3600):
            payloads = discord.line.heard()
            times += [discord.clock.seconds()] * len(payloads)
            if heartbeats(payloads):
                discord.line.say({"op": 11})
            discord.clock.advance(0.1)
        windows = [sum(start <= time < start + 60 for time in times) for start in times]
        self.assertLessEqual(max(windows), 120)
        self.assertGreaterEqual(max(windows), 115)
        for answer in answers:
            self.successResultOf(answer)
        self.assertEqual(discord.shard.state, "active")

    def test_ac42_presences_coalesce(self) -> None:
        """50 presence changes in one second: at most 5 in 20 s, the last wins, each is answered."""
        discord = active()
        answers = [
            self.send(discord, 3, json.dumps({"op": 3, "d": {"status": "idle", "n": n}}).encode()) for n in range(50)
        ]
        for _ in range(300):
            discord.clock.advance(0.1)
        presences = [payload for payload in discord.line.heard() if payload["op"] == 3]
        self.assertEqual(presences[-1]["d"]["n"], 49)
        self.assertLessEqual(len(presences), 6)
        refused = [answer for answer in answers if isinstance(getattr(answer, "result", None), Failure)]
        self.assertEqual(len(refused), 50 - len(presences))
        for answer in refused:
            self.failureResultOf(answer, RequestRefused)

    def test_room_for_rateways_own(self) -> None:
        """There is room while the shard is active, and bots' commands and rateway's requests share the budget."""
        discord = active()
        outbox = discord.shard.outbox
        room = outbox.room()
        assert room is not None
        spare, budget = room
        self.assertEqual(spare.wait(budget, discord.clock.seconds()), 0.0)
        self.assertEqual(spare.ask(7, budget, discord.clock.seconds()), 0.0)
        outbox.say(b'{"op":8,"d":{}}')
        self.assertEqual([payload["op"] for payload in discord.line.heard()], [8])
        for _ in range(115):
            self.send(discord)
        self.assertEqual(len(discord.line.heard()), 113, "RESUME and the request are counted")
        self.assertGreater(spare.wait(budget, discord.clock.seconds()), 0.0)
        discord.line.wire.lose()
        self.assertIsNone(outbox.room())
        outbox.say(b"lost")
        discord.next_line().say(resumed(12))
        again = outbox.room()
        assert again is not None
        self.assertIs(again[0], spare, "what was sent before still counts")
        self.assertIsNot(again[1], budget)

    def test_waits_for_the_shard(self) -> None:
        """A command given while the shard reconnects is sent once it is active, and not before RESUMED."""
        discord = active()
        discord.line.wire.lose()
        answer = self.send(discord)
        discord.next_line()
        self.assertNoResult(answer)
        discord.line.say(resumed(12))
        self.successResultOf(answer)
        self.assertEqual([payload["op"] for payload in discord.line.heard()], [6, 4])

    def test_expires(self) -> None:
        """A command that finds no connection in its time is refused then, not later."""
        discord = Discord()
        discord.gate.generous = False
        discord.shard.startService()
        answer = self.send(discord, ttl=5)
        discord.clock.advance(4.9)
        self.assertNoResult(answer)
        discord.clock.advance(0.2)
        self.failureResultOf(answer, RequestRefused)

    def test_refused_at_the_stop(self) -> None:
        """What waits when rateway stops is refused, not dropped."""
        discord = Discord()
        discord.gate.generous = False
        discord.shard.startService()
        answer = self.send(discord)
        discord.shard.stopService()
        self.failureResultOf(answer, RequestRefused)
        self.assertEqual(discord.clock.getDelayedCalls(), [])


class PauseTests(SynchronousTestCase):
    """When nobody can take events."""

    def test_heartbeats_go_on(self) -> None:
        """Reading stops, heartbeats don't; no ACK can be seen, so none is missed."""
        discord = active()
        discord.shard.pause()
        self.assertEqual(discord.line.wire.producerState, "paused")
        beats = 0
        for _ in range(59):
            discord.clock.advance(1)
            beats += len(heartbeats(discord.line.heard()))
        self.assertEqual((beats, discord.shard.state), (1, "active"))
        discord.shard.resume()
        self.assertEqual(discord.line.wire.producerState, "producing")
        self.assertEqual(discord.shard.state, "active")

    def test_a_minute_is_the_limit(self) -> None:
        """Then the connection is closed resumably, and resumed when there is room."""
        discord = active()
        discord.shard.pause()
        for _ in range(int(PAUSE_LIMIT)):
            discord.clock.advance(1)
        self.assertEqual(discord.line.closed_with(), [OwnClose.PAUSED])
        discord.line.wire.lose()
        discord.clock.advance(600)
        self.assertEqual(len(discord.lines), 1)
        discord.shard.resume()
        self.assertEqual([payload["op"] for payload in discord.greet().heard()], [6])

    def test_paused_by_the_sink(self) -> None:
        """The sink may say so while it takes: the rest of the read is still given, nothing after."""
        discord = Discord(SESSION)
        discord.sink.meanwhile = discord.shard.pause
        discord.shard.startService()
        discord.greet().say(event(11), event(12), resumed(13))
        self.assertEqual(discord.sink.seqs(), [11, 12, 13])
        self.assertEqual(discord.line.wire.producerState, "paused")

    def test_paused_before_the_start(self) -> None:
        """Nothing is dialled until somebody takes events; also after a stop and a new start."""
        discord = Discord(SESSION)
        discord.shard.pause()
        discord.shard.startService()
        discord.shard.stopService()
        discord.shard.startService()
        self.assertEqual(discord.urls, [])
        discord.shard.resume()
        self.assertEqual(len(discord.urls), 1)


class StopTests(SynchronousTestCase):
    """The end."""

    def test_ac71_a_stop_keeps_the_session(self) -> None:
        """Closed with a resumable code; done when the socket is."""
        discord = active()
        done = discord.shard.stopService()
        self.assertEqual(discord.line.closed_with(), [OwnClose.STOPPING])
        self.assertNoResult(done)
        discord.line.wire.lose()
        self.successResultOf(done)
        self.assertEqual(discord.clock.getDelayedCalls(), [])
        self.assertEqual(discord.sink.forgotten, [])
        self.assertFalse(discord.shard.running)

    def test_within_two_seconds(self) -> None:
        """A socket that doesn't close is aborted."""
        discord = active()
        done = discord.shard.stop()
        discord.clock.advance(2)
        self.assertTrue(discord.line.wire.aborted)
        discord.line.wire.lose()
        self.successResultOf(done)

    def test_ac71_a_final_stop(self) -> None:
        """1000, and the session is forgotten."""
        discord = active()
        discord.shard.stop(final=True)
        self.assertEqual(discord.line.closed_with(), [1000])
        self.assertEqual(discord.sink.forgotten, [7])

    def test_whatever_it_is_doing(self) -> None:
        """Queued, dialling, connecting, waiting, never started: nothing is left behind."""
        queued = Discord()
        queued.gate.generous = False
        queued.shard.startService()
        dialling = Discord(SESSION)
        dialling.silent = {HOME}
        dialling.shard.startService()
        waiting = Discord(SESSION)
        waiting.refuses = {HOME}
        waiting.shard.startService()
        for discord in (queued, dialling, waiting, Discord()):
            self.successResultOf(discord.shard.stopService())
            self.assertEqual(discord.clock.getDelayedCalls(), [])
            self.assertEqual(discord.shard.state, "stopped")
        self.assertEqual(queued.gate.told, ["acquire", "cancel"])

    def test_two_ask(self) -> None:
        """Stopped twice, both are told."""
        discord = active()
        first, second = discord.shard.stop(), discord.shard.stop()
        discord.line.wire.lose()
        self.successResultOf(first)
        self.successResultOf(second)

    def test_started_again(self) -> None:
        """A stopped shard resumes where it was."""
        discord = active()
        discord.line.say(event(12))
        discord.shard.stopService()
        discord.line.wire.lose()
        discord.shard.startService()
        discord.shard.startService()
        self.assertEqual(discord.greet().heard()[0]["d"]["seq"], 12)
        self.assertEqual(len(discord.lines), 2)


def said(*payloads: dict[str, Any]) -> Step:
    """Discord says this on a connection that is open."""

    def step(discord: Discord, answers: list[Deferred[None]]) -> None:
        if discord.lines and discord.line.protocol.open:
            discord.line.say(*payloads)

    return step


def sent_raw(data: bytes) -> Step:
    """Discord sends these bytes, open or not."""

    def step(discord: Discord, answers: list[Deferred[None]]) -> None:
        if discord.lines and discord.line.wire.protocol is not None:
            discord.line.raw(data)

    return step


def accepted(discord: Discord, answers: list[Deferred[None]]) -> None:
    """Discord accepts the upgrade."""
    if discord.lines and discord.line.wire.protocol is not None and b"GET " in discord.line.wire.value():
        discord.line.accept()


def lost(discord: Discord, answers: list[Deferred[None]]) -> None:
    """The socket is closed."""
    if discord.lines and discord.line.wire.protocol is not None:
        discord.line.wire.lose()


def commanded(discord: Discord, answers: list[Deferred[None]]) -> None:
    """A bot sends a command."""
    answers.append(discord.shard.send(4, CommandTests.payload, discord.clock.seconds() + 30))


STEPS: dict[str, Step] = {
    "accept": accepted,
    "hello": said({"op": 10, "d": {"heartbeat_interval": 40000}}),
    "bad hello": said({"op": 10, "d": {}}),
    "ready": said(ready(1), event(2)),
    "resumed": said(event(11), resumed(12), event(13)),
    "events": said(event(14), event(15)),
    "nameless": said({"op": 0, "d": {}}),
    "ack": said({"op": 11}),
    "op 1": said({"op": 1, "d": None}),
    "op 7": said(event(16), {"op": 7, "d": None}, event(17)),
    "op 9 true": said({"op": 9, "d": True}),
    "op 9 false": said({"op": 9, "d": False}),
    "op 7 and 9": said({"op": 7, "d": None}, {"op": 9, "d": False}, {"op": 10, "d": None}),
    "junk": sent_raw(frame(b"{") + frame(b"\xff")),
    "bytes": sent_raw(b"HTTP/1.1 403 Forbidden\r\n\r\n"),
    "close 1000": sent_raw(close_frame(1000)),
    "close 4000": sent_raw(close_frame(4000)),
    "close 4007": sent_raw(close_frame(4007)),
    "close 4009": sent_raw(close_frame(4009)),
    "close 4014": sent_raw(close_frame(4014)),
    "lost": lost,
    "refuse": lambda d, a: d.refuses.update({HOME, GENERAL}),
    "listen": lambda d, a: d.refuses.clear(),
    "pause": lambda d, a: d.shard.pause(),
    "resume": lambda d, a: d.shard.resume(),
    "command": commanded,
    "greedy gate": lambda d, a: setattr(d.gate, "generous", False),
    "generous gate": lambda d, a: setattr(d.gate, "generous", True),
}


class RobustnessTests(SynchronousTestCase):
    """Bugs of ours or of others."""

    def test_a_sink_that_raises(self) -> None:
        """It is a bug: logged, the connection dropped; the shard resumes."""
        discord = active()

        def raises() -> None:
            raise ZeroDivisionError("a bug")

        discord.sink.meanwhile = raises
        discord.line.say(event(12))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(discord.line.wire.aborted)
        discord.line.wire.lose()
        self.assertEqual([payload["op"] for payload in discord.next_line().heard()], [6])

    def test_a_gate_that_raises(self) -> None:
        """What follows in the same breath is still done."""
        discord = Discord()
        discord.shard.startService()
        discord.greet()

        def raises(shard_id: int) -> None:
            raise ZeroDivisionError("a bug")

        discord.shard._permit._gate = type("Broken", (Gate,), {"settled": lambda self, shard_id: raises(shard_id)})()
        discord.line.say(ready())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(discord.shard.state, "active")

    def test_the_log(self) -> None:
        """One line for each thing that happens to a connection, none per event; neither token nor session in it."""
        events: list[LogEvent] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        discord = Discord()
        discord.shard.startService()
        discord.greet()
        discord.line.say(ready(1, "very-secret-session"), *(event(seq) for seq in range(2, 100)))
        discord.line.close(4001)
        discord.next_line().say(resumed(100))
        discord.shard.stopService()
        shown = [event for event in events if event["log_level"].name != "debug"]
        lines = [str(formatEvent(event)) for event in shown]
        self.assertEqual(
            lines,
            [
                "shard 7: connecting to wss://gateway.example to identify",
                "shard 7: ready: a new session began",
                "shard 7: closed by Discord with 4001, unknown opcode or bad payload; resuming in 0.2 s",
                "shard 7: connecting to wss://home.example to resume",
                "shard 7: resumed",
            ],
        )
        self.assertEqual([event["log_level"].name for event in shown].count("error"), 1)
        everything = repr(events) + repr(discord.shard) + repr(vars(discord.shard)["_settings"])
        self.assertNotIn("very-secret", everything)

    def test_ready_unasked(self) -> None:
        """READY before HELLO, or before IDENTIFY: nothing of that read or after it is taken."""
        discord = Discord(SESSION)
        discord.shard.startService()
        discord.line.accept()
        discord.line.say(ready(), event(2))
        self.assertEqual(discord.line.closed_with(), [OwnClose.UNDECODABLE])
        self.assertEqual(discord.sink.takes, [])
        self.assertEqual(discord.shard.session, SESSION)

    @settings(deadline=None, database=None, max_examples=150)
    @given(
        session=st.booleans(),
        depth=st.integers(0, 3),
        steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.floats(0, 30)), max_size=40),
    )
    def test_anything_at_any_time(self, session: bool, depth: int, steps: list[tuple[str, float]]) -> None:
        """Whatever Discord, the network, the broker and the bots do: no error of ours, nothing left when it stops."""
        discord = Discord(SESSION if session else None)
        answers: list[Deferred[None]] = []
        discord.shard.startService()
        healthy = [("accept", 0.0), ("hello", 0.0), ("resumed" if session else "ready", 0.0)]
        for step, delay in [*healthy[:depth], *steps]:
            discord.clock.advance(delay)
            STEPS[step](discord, answers)
        done = discord.shard.stop()
        for line in discord.lines:
            self.assertFalse({1000, 1001} & set(line.closed_with()))
            if line.wire.protocol is not None:
                line.wire.lose()
        self.successResultOf(done)
        self.assertEqual(discord.clock.getDelayedCalls(), [])
        for answer in answers:
            self.assertTrue(answer.called)
            answer.addErrback(lambda failure: failure.trap(RequestRefused))
        for _, session_then, dispatches in discord.sink.takes:
            self.assertGreaterEqual(session_then.seq, dispatches[-1][0])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_lines_are_told_apart(self) -> None:
        """What an old connection still says or does concerns nobody."""
        discord = active()
        old: Line = discord.line
        discord.line.say({"op": 7, "d": None})
        discord.next_line().say(resumed(12))
        old.say(event(99))
        old.wire.lose()
        self.assertEqual(discord.sink.seqs(), [12])
        self.assertEqual(discord.shard.state, "active")
