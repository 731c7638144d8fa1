from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from rateway.logs import make_observer
from rateway.process.relay import LONGEST, Relay

from .fakes import Heard


class RelayTests(SynchronousTestCase):
    """A child's log lines in the parent's log."""

    def setUp(self) -> None:
        self.heard = Heard(self)

    def test_a_line_keeps_its_level_its_place_and_its_fields(self) -> None:
        """As if the parent had said it, with the child's number in front."""
        stream = io.StringIO()
        log = Logger("rateway.shard.service.ShardService", observer=make_observer("json", stream))
        log.warn("shard {shard} is slow: {why}", shard=3, why="ü {x}")
        Relay(2).received(stream.getvalue().encode())
        (event,) = self.heard.events
        self.assertEqual(self.heard.texts("warn"), ["child 2: shard 3 is slow: ü {x}"])
        self.assertEqual(event["log_namespace"], "rateway.shard.service.ShardService")
        self.assertEqual((event["child"], event["shard"]), (2, 3))

    def test_a_traceback_stays_one_event(self) -> None:
        """Of many lines, in one."""
        stream = io.StringIO()
        log = Logger("rateway.x", observer=make_observer("json", stream))
        try:
            raise ValueError("broken")
        except ValueError:
            log.failure("computing")
        Relay(1).received(stream.getvalue().encode())
        (text,) = self.heard.texts("critical")
        self.assertIn("computing", text)
        self.assertIn("Traceback", text)
        self.assertIn("ValueError: broken", text)

    def test_other_output(self) -> None:
        """A library's or the interpreter's own word is relayed as it is, at the level of its stream."""
        Relay(1).received(b"hello {x}\n\n[1]\n")
        Relay(1, "warn").received(b"Fatal Python error\n")
        self.assertEqual(self.heard.texts("info"), ["child 1: hello {x}", "child 1: [1]"])
        self.assertEqual(self.heard.texts("warn"), ["child 1: Fatal Python error"])

    def test_the_rest_of_a_dying_child(self) -> None:
        """A line that never ended is relayed at the end."""
        relay = Relay(1)
        relay.received(b"half a li")
        self.assertEqual(self.heard.texts(), [])
        relay.ended()
        self.assertEqual(self.heard.texts(), ["child 1: half a li"])

    def test_a_line_without_end_is_cut(self) -> None:
        """Memory has one."""
        Relay(1).received(b"x" * (LONGEST + 1))
        self.assertEqual(len(self.heard.texts()), 1)

    @settings(deadline=None, database=None, max_examples=80)
    @given(
        st.lists(
            st.binary(max_size=30)
            | st.sampled_from(
                [b'{"message":1}', b'{"message":"m","format":"f","self":1}', b'{"message":"m","level":9,"time":"x"}']
            )
        )
    )
    def test_nothing_a_child_writes_does_harm(self, parts: list[bytes]) -> None:
        """Whatever bytes come, in whatever pieces."""
        relay = Relay(1)
        for part in parts:
            relay.received(part)
            relay.received(b"\n")
        relay.ended()

    @settings(deadline=None, database=None, max_examples=40)
    @given(st.lists(st.integers(1, 200)))
    def test_any_split_gives_the_same_lines(self, sizes: list[int]) -> None:
        """A pipe knows no lines."""
        whole = b'{"message":"one","level":"info"}\n{"message":"zw\xc3\xb6lf","level":"error"}\n'
        self.heard.events.clear()
        relay, rest = Relay(1), whole
        for size in sizes:
            relay.received(rest[:size])
            rest = rest[size:]
        relay.received(rest)
        self.assertEqual(self.heard.texts(), ["child 1: one", "child 1: zwölf"])
