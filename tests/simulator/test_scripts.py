"""Connections that misbehave on demand."""

from __future__ import annotations

from rateway.simulator.gateway.behaviour import Behaviour
from tests.simulator.bench import BenchCase


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
