"""The register of sessions, and the envelope, as such."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.gateway.rules import Asked
from rateway.simulator.gateway.sessions import Sessions, envelope

ASKED = Asked(0, 1, 1, 50, False, None)


class SessionsTests(SynchronousTestCase):
    """The register of sessions."""

    def test_places(self) -> None:
        """Sessions are found by their place while they live; totals are those in use."""
        sessions = Sessions(10, 60.0, 10_000)
        one = sessions.start("a", ASKED)
        other = sessions.start("b", Asked(1, 2, 1, 50, False, None))
        self.assertEqual((sorted(sessions.totals()), len(sessions)), ([1, 2], 2))
        self.assertEqual(sessions.at(1, 2, 0.0), [other])
        sessions.end(one)
        sessions.end(one)
        self.assertEqual((sorted(sessions.totals()), sessions.at(0, 1, 0.0)), ([2], []))
        self.assertEqual((sessions.at(1, 2, 61.0), len(sessions)), ([], 0))

    @settings(deadline=None, database=None, max_examples=100)
    @given(
        st.lists(st.sampled_from(["event", "skip"]), max_size=40),
        st.integers(1, 10),
        st.integers(1, 400),
        st.integers(0, 45),
    )
    def test_missed_is_complete_or_none(self, script: list[str], limit: int, size: int, seq: int) -> None:
        """What was missed is given whole, in order, or not at all."""
        session = Sessions(limit, 60.0, size).start("a", ASKED)
        sent: list[int] = []
        sizes: list[int] = []
        for what in script:
            if what == "skip":
                session.skip(1)
            else:
                sizes.append(len(session.keep("X", b"{}", 0.0)))
                sent.append(session.seq)
        wanted = [number for number in sent if number > seq]
        missed = session.missed(seq)
        kept = sum(total <= size for total in itertools.accumulate(reversed(sizes)))
        if len(wanted) > min(limit, max(kept, 1)):
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
