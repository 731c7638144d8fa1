"""What survives a connection: sequence, replay buffer, and the ends of a session."""

from __future__ import annotations

from tests.simulator.bench import BenchCase, Client


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

    def test_buffer_of_so_many_bytes(self) -> None:
        """However few events they are, large ones push out older ones; the last one stays."""
        large, small = {"x": "x" * 400}, {"x": "x" * 100}
        for events, kept in (([large] * 3, 2), ([{"x": "x" * 5000}], 1), ([large, *[small] * 6], 6)):
            self.start(replay_bytes=1000)
            client = self.ready()
            client.leave()
            for event in events:
                self.face.dispatch(0, "X", event)
            self.assertEqual(len(self.face.session(0).log), kept)
            seq = 1 + len(events) - kept
            self.assertEqual(self.back(client, seq).wire.names(), ["X"] * kept + ["RESUMED"])
            self.start(replay_bytes=1000)
            client = self.ready()
            client.leave()
            for event in events:
                self.face.dispatch(0, "X", event)
            self.assertEqual(self.back(client, seq - 1).wire.payloads[-1]["d"], False)

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
