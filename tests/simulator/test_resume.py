"""What survives a connection: sequence, replay buffer, and the ends of a session."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.behaviour import Behaviour
from rateway.simulator.rules import Asked
from rateway.simulator.sessions import Sessions, envelope
from tests.simulator.bench import BenchCase, Client

ASKED = Asked(0, 1, 1, 50, False, None)


class ReplayTests(BenchCase):
    """A client that comes back."""

    def back(self, client: Client, seq: int) -> Client:
        again = self.connect(host="127.0.0.2")
        again.resume(client.session_id, seq)
        self.settle()
        return again

    def test_nothing_missed(self) -> None:
        """With nothing missed, RESUMED comes alone, with a sequence of its own."""
        self.start()
        client = self.ready()
        client.leave()
        again = self.back(client, 1)
        self.assertEqual([(p["t"], p["s"]) for p in again.wire.payloads[1:]], [("RESUMED", 2)])
        self.assertEqual(self.face.dispatch(0, "X", {}), 3)
        self.assertEqual(again.wire.names(), ["RESUMED", "X"])

    def test_five_thousand(self) -> None:
        """5000 missed events are replayed once, in order, with heartbeats answered among them."""
        self.start()
        client = self.ready()
        client.leave()
        for number in range(5000):
            self.face.dispatch(0, "X", {"n": number})
        again = self.connect()
        again.resume(client.session_id, 1)
        self.clock.advance(0)
        again.tell(1, 3)
        self.settle()
        ops = [payload["op"] for payload in again.wire.payloads]
        self.assertTrue(0 < ops.index(11) < len(ops) - 1000)
        events = [payload for payload in again.wire.payloads if payload["op"] == 0]
        self.assertEqual([p["s"] for p in events], list(range(2, 5003)))
        self.assertEqual([p["d"]["n"] for p in events[:-1]], list(range(5000)))
        self.assertEqual(events[-1]["t"], "RESUMED")
        self.assertEqual(self.hub.journal.resumes[0].replayed, 5000)

    def test_events_during_replay(self) -> None:
        """What happens during the replay comes after it and before RESUMED, or after that, never out of order."""
        self.start()
        client = self.ready()
        client.leave()
        for number in range(500):
            self.face.dispatch(0, "OLD", {"n": number})
        again = self.connect()
        again.resume(client.session_id, 1)
        self.face.dispatch(0, "NEW", {})
        self.settle()
        self.face.dispatch(0, "LATER", {})
        self.assertEqual(again.wire.names(), ["OLD"] * 500 + ["NEW", "RESUMED", "LATER"])
        seqs = [p["s"] for p in again.wire.payloads if p["op"] == 0]
        self.assertEqual(seqs, list(range(2, 505)))

    def test_lost_again_during_replay(self) -> None:
        """A client lost in the midst of a replay can resume from where it got to."""
        self.start()
        client = self.ready()
        client.leave()
        for number in range(1000):
            self.face.dispatch(0, "X", {"n": number})
        middle = self.connect()
        middle.resume(client.session_id, 1)
        middle.leave()
        self.settle()
        got = middle.wire.payloads[-1]["s"]
        self.assertTrue(1 < got < 1001)
        again = self.back(client, got)
        self.assertEqual([p["s"] for p in again.wire.payloads[1:]], list(range(got + 1, 1003)))

    def test_buffer_too_short(self) -> None:
        """What the buffer no longer holds can't be resumed: op 9 false, and the session is over."""
        self.start(replay_limit=10)
        client = self.ready()
        client.leave()
        for _ in range(11):
            self.face.dispatch(0, "X", {})
        self.assertEqual(self.back(client, 1).wire.payloads[-1]["d"], False)
        self.assertEqual((len(self.hub.sessions), self.broken()), (0, []))

    def test_buffer_just_long_enough(self) -> None:
        """What it still holds can."""
        self.start(replay_limit=10)
        client = self.ready()
        client.leave()
        for _ in range(10):
            self.face.dispatch(0, "X", {})
        self.assertEqual(self.back(client, 1).wire.names(), ["X"] * 10 + ["RESUMED"])

    def test_too_old(self) -> None:
        """A session outlives its connection by the replay age, no longer."""
        for wait, answer in ((299.0, "resumed"), (301.0, "invalid")):
            self.start(replay_age=300.0)
            client = self.ready()
            client.leave()
            self.clock.advance(wait)
            self.back(client, 1)
            self.assertEqual(self.hub.journal.resumes[0].answer, answer)

    def test_old_events_are_forgotten(self) -> None:
        """A session that runs on forgets events older than the replay age."""
        self.start(replay_age=300.0, heartbeat_interval=1e6)
        client = self.ready()
        self.face.dispatch(0, "X", {})
        self.clock.advance(301.0)
        self.face.dispatch(0, "Y", {})
        client.leave()
        self.assertEqual(self.back(client, 2).wire.names(), ["Y", "RESUMED"])
        self.hub.connections[2].lost()
        self.assertEqual(self.back(client, 1).wire.payloads[-1]["op"], 9)

    def test_gap(self) -> None:
        """Left out sequences are no loss: a client behind them resumes with what there is."""
        self.start()
        client = self.ready()
        self.face.skip_sequences(0, 4)
        self.assertEqual(self.face.dispatch(0, "X", {}), 6)
        client.leave()
        self.assertEqual(self.back(client, 1).wire.names(), ["X", "RESUMED"])

    def test_second_connection_takes_over(self) -> None:
        """A RESUME while the old connection still stands closes that one."""
        self.start()
        client = self.ready()
        again = self.back(client, 1)
        self.assertEqual(client.wire.close and client.wire.close[0], 4000)
        client.leave()
        self.face.dispatch(0, "X", {})
        self.assertEqual(again.wire.names(), ["RESUMED", "X"])

    def test_backfill_goes_on(self) -> None:
        """A client lost amid the backfill gets the rest of the guilds by RESUME."""
        self.start(guilds=60, members=1)
        client = self.connect()
        client.identify()
        self.clock.advance(0)
        client.leave()
        self.settle()
        got = len(client.wire.all("GUILD_CREATE"))
        self.assertTrue(0 < got < 60)
        again = self.back(client, got + 1)
        self.assertEqual(again.wire.names(), ["GUILD_CREATE"] * (60 - got) + ["RESUMED"])


class EndTests(BenchCase):
    """How sessions end."""

    def test_clean_close(self) -> None:
        """1000 and 1001 of the client end the session and are recorded; other codes and none keep it."""
        for code, live in ((1000, 0), (1001, 0), (4900, 1), (None, 1), (3000, 1)):
            self.start()
            client = self.ready()
            client.connection.client_closed(code, "")
            client.leave()
            self.assertEqual((len(self.hub.sessions), len(self.hub.journal.wasted)), (live, 1 - live))
            self.assertEqual(self.hub.journal.closes[0].code, code)

    def test_identified_anew(self) -> None:
        """An IDENTIFY where a RESUME could have done wastes the old session."""
        self.start(identify_window=0.0)
        self.ready(0, 2).leave()
        self.ready(1, 2)
        self.assertEqual(self.hub.journal.wasted, [])
        self.ready(0, 2)
        self.assertEqual([w.how for w in self.hub.journal.wasted], ["identified anew"])

    def test_close_codes(self) -> None:
        """Some codes of the server end the session, others keep it."""
        for code, live in ((4000, 1), (4001, 1), (4008, 1), (1000, 1), (4003, 0), (4007, 0), (4009, 0), (4014, 0)):
            self.start()
            client = self.ready()
            self.face.close(0, code)
            client.leave()
            self.assertEqual((code, len(self.hub.sessions)), (code, live))
            self.assertEqual(client.wire.close and client.wire.close[0], code)

    def test_invalidated(self) -> None:
        """Op 9 true keeps the session, op 9 false ends it; both leave the connection for another try."""
        for resumable in (True, False):
            self.start(identify_window=0.0)
            client = self.ready()
            self.face.invalidate(0, resumable=resumable)
            self.assertEqual(len(self.hub.sessions), int(resumable))
            if resumable:
                client.resume(client.session_id, 1)
            else:
                client.identify()
            self.settle()
            self.assertEqual(client.wire.names()[1:], ["RESUMED" if resumable else "READY"])
            self.assertEqual(self.broken(), [])

    def test_nothing_wasted_after_the_end(self) -> None:
        """A close with 1000 after op 9 false wastes nothing."""
        self.start()
        client = self.ready()
        self.face.invalidate(0, resumable=False)
        client.connection.client_closed(1000, "")
        self.assertEqual(self.hub.journal.wasted, [])

    def test_two_sessions_of_a_shard(self) -> None:
        """Two live sessions of one shard both get its events; none is wasted."""
        self.start(identify_window=0.0)
        first, second = self.ready(), self.ready()
        self.face.dispatch(0, "X", {})
        self.assertEqual((first.wire.names(), second.wire.names()), (["READY", "X"], ["READY", "X"]))
        self.assertEqual(self.hub.journal.wasted, [])


class ScriptTests(BenchCase):
    """Connections that misbehave on demand."""

    def test_before_hello(self) -> None:
        """Op 7 before HELLO, or instead of it."""
        for hello in (True, False):
            self.start()
            self.face.on_connect(Behaviour(first=((7, None),), hello=hello))
            self.assertEqual([p["op"] for p in self.connect().wire.payloads], [7, 10] if hello else [7])
            self.assertEqual([p["op"] for p in self.connect().wire.payloads], [10])

    def test_late_hello(self) -> None:
        """HELLO after a while, with an interval of its own."""
        self.start()
        self.face.on_connect(Behaviour(hello_delay=3.0, interval=1.0))
        client = self.connect()
        self.clock.advance(2.9)
        self.assertEqual(client.wire.payloads, [])
        self.clock.advance(0.1)
        self.assertEqual(client.wire.payloads[0]["d"]["heartbeat_interval"], 1000)

    def test_acks(self) -> None:
        """No ACK, or one without d, s and t, also from now on."""
        self.start()
        self.face.on_connect(Behaviour(ack="none"), shard=0)
        client = self.ready()
        count = len(client.wire.messages)
        client.tell(1, None)
        self.assertEqual(len(client.wire.messages), count)
        self.face.set_behaviour(0, Behaviour(ack="bare"))
        client.tell(1, None)
        self.assertEqual(client.wire.messages[-1], (b'{"op":11}', False))

    def test_identify_answers(self) -> None:
        """IDENTIFY may be met by op 9 false, silence, or a close code."""
        self.start(identify_window=0.0)
        for answer in ("invalid", "silence", 4004):
            self.face.on_connect(Behaviour(identify=answer))
        clients = [self.ready() for _ in range(3)]
        self.assertEqual([c.wire.payloads[-1]["op"] for c in clients], [9, 10, 10])
        self.assertEqual([c.wire.close and c.wire.close[0] for c in clients], [None, None, 4004])
        self.assertEqual([i.answer for i in self.hub.journal.identifies], ["invalid", "silence", "4004"])

    def test_resume_answers(self) -> None:
        """RESUME may be met by op 9 both ways, silence, or a close code; only some end the session."""
        for answer, live, op, code in (
            ("invalid", 0, 9, None),
            ("retry", 1, 9, None),
            ("silence", 1, 10, None),
            (4007, 0, 10, 4007),
            (4000, 1, 10, 4000),
        ):
            self.start()
            client = self.ready()
            client.leave()
            self.face.on_connect(Behaviour(resume=answer), shard=0)  # type: ignore[arg-type]
            again = self.connect()
            again.resume(client.session_id, 1)
            self.assertEqual((len(self.hub.sessions), again.wire.payloads[-1]["op"]), (live, op))
            self.assertEqual(again.wire.close and again.wire.close[0], code)

    def test_drop_after_ready(self) -> None:
        """A connection ends right after READY or RESUMED, as often as wanted, at once or after a while."""
        self.start(identify_window=0.0)
        self.face.on_connect(Behaviour(after="rst"), shard=0, times=2)
        first = self.ready()
        self.assertEqual((first.wire.names(), first.wire.dropped), (["READY"], "rst"))
        first.leave()
        second = self.connect()
        second.resume(first.session_id, 1)
        self.assertEqual((second.wire.names(), second.wire.dropped), (["RESUMED"], "rst"))
        self.face.on_connect(Behaviour(after=4000, after_delay=1.0))
        third = self.ready()
        self.assertIsNone(third.wire.close)
        self.clock.advance(1.0)
        self.assertEqual(third.wire.close and third.wire.close[0], 4000)

    def test_by_shard_and_host(self) -> None:
        """A script may wait for a shard, or for those who come to the resume host."""
        self.start(identify_window=0.0)
        self.face.on_connect(Behaviour(identify="silence"), shard=1)
        self.face.on_connect(Behaviour(hello=False), host="127.0.0.2")
        self.assertEqual(self.ready(0, 2).wire.names(), ["READY"])
        self.assertEqual(self.ready(1, 2).wire.names(), [])
        self.assertEqual(self.connect(host="127.0.0.2").wire.payloads, [])

    def test_impossible_script(self) -> None:
        """What acts before the shard is known can't wait for a shard."""
        self.start()
        with self.assertRaisesRegex(ValueError, "unknown"):
            self.face.on_connect(Behaviour(hello=False), shard=1)

    def test_usual_behaviour(self) -> None:
        """All others behave as said once."""
        self.start()
        self.face.behave(Behaviour(hello=False))
        self.assertEqual((self.connect().wire.payloads, self.connect().wire.payloads), ([], []))

    def test_freeze(self) -> None:
        """A frozen connection says nothing, not even ACKs; thawed, it says all of it. Deaf, it reads nothing."""
        self.start(heartbeat_interval=10.0)
        client = self.ready()
        self.face.freeze(0, deaf=True)
        self.assertFalse(client.wire.reading)
        count = len(client.wire.messages)
        self.face.dispatch(0, "X", {})
        client.tell(1, None)
        self.clock.advance(100.0)
        self.assertEqual((len(client.wire.messages), self.broken()), (count, []))
        self.face.thaw(0)
        self.assertTrue(client.wire.reading)
        self.assertEqual([p["t"] for p in client.wire.payloads[count:]], ["X", None])


class SessionsTests(SynchronousTestCase):
    """The register of sessions."""

    def test_places(self) -> None:
        """Sessions are found by their place while they live; totals are those in use."""
        sessions = Sessions(10, 60.0)
        one = sessions.start("a", ASKED)
        other = sessions.start("b", Asked(1, 2, 1, 50, False, None))
        self.assertEqual((sorted(sessions.totals()), len(sessions)), ([1, 2], 2))
        self.assertEqual(sessions.at(1, 2, 0.0), [other])
        sessions.end(one)
        sessions.end(one)
        self.assertEqual((sorted(sessions.totals()), sessions.at(0, 1, 0.0)), ([2], []))
        self.assertEqual((sessions.at(1, 2, 61.0), len(sessions)), ([], 0))

    @settings(deadline=None, database=None, max_examples=100)
    @given(st.lists(st.sampled_from(["event", "skip"]), max_size=40), st.integers(1, 10), st.integers(0, 45))
    def test_missed_is_complete_or_none(self, script: list[str], limit: int, seq: int) -> None:
        """What was missed is given whole, in order, or not at all."""
        session = Sessions(limit, 60.0).start("a", ASKED)
        sent = []
        for what in script:
            if what == "skip":
                session.skip(1)
            else:
                session.keep("X", b"{}", 0.0)
                sent.append(session.seq)
        wanted = [number for number in sent if number > seq]
        missed = session.missed(seq)
        if len(wanted) > limit:
            self.assertIsNone(missed)
        else:
            self.assertEqual([number for number, _, _ in missed or []], wanted)
            self.assertIsNotNone(missed)


class EnvelopeTests(SynchronousTestCase):
    """The envelope around the bytes of d."""

    def test_orders(self) -> None:
        """Discord's order by default, any other on demand; d is never touched."""
        self.assertEqual(envelope("X", 5, b'{"a": 1}'), b'{"t":"X","s":5,"op":0,"d":{"a": 1}}')
        self.assertEqual(envelope("X", 5, b"[]", ("op", "d", "s", "t")), b'{"op":0,"d":[],"s":5,"t":"X"}')
