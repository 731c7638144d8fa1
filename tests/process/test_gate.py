from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.protocols.amp import CommandLocator
from twisted.test.iosim import connectedServerAndClient
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rateway.gateway.identify import SPACING, Limits
from rateway.interfaces import IIdentifyGate
from rateway.process.commands import Fault
from rateway.process.gate import FleetGate, RemoteGate
from rateway.process.link import Link
from rateway.process.supervisor import ChildEnd

from .fakes import FakeFatal, FakeMemory, Heard, refuse_all

PLENTY = Limits(total=1000, remaining=1000, reset_after=0.0, max_concurrency=1)


class FleetGateTests(SynchronousTestCase):
    """The queue at the parent, with its timer."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.memory = FakeMemory()

    def gate(self, limits: Limits = PLENTY) -> FleetGate:
        return FleetGate(self.clock, self.memory, limits, wall=lambda: self.clock.seconds() + 1e9)

    def use(self, gate: FleetGate, shard: int) -> None:
        gate.used(shard)
        gate.settled(shard)

    def test_it_is_a_gate(self) -> None:
        """As shards want one."""
        self.assertTrue(verifyObject(IIdentifyGate, self.gate()))

    def test_a_shard_that_identifies_again_and_again_is_named(self) -> None:
        """From the fifth time within ten minutes on, the log says that it waits, and why."""
        heard, gate = Heard(self), self.gate()
        for _ in range(4):
            gate.acquire(0)
            self.clock.advance(SPACING)
            self.use(gate, 0)
        self.assertEqual(heard.texts("warn"), [])
        permit = gate.acquire(0)
        (line,) = heard.texts("warn")
        self.assertIn("shard 0 identifies again and again: it waits 30 s", line)
        self.clock.advance(SPACING)
        self.assertNoResult(permit)

    def test_a_memory_of_another_version(self) -> None:
        """It is done without, with a line; where there is none, without."""
        heard = Heard(self)
        self.gate()
        self.assertEqual(heard.texts("warn"), [])
        self.memory.keep_identify_snapshot({"version": 9})
        permit = self.gate().acquire(0)
        # Who identified last, and when, is not known: it may have been just now.
        self.assertNoResult(permit)
        (line,) = heard.texts("warn")
        self.assertIn("identify.json in STATE_DIR is of another version, or damaged: starting without it", line)
        self.clock.advance(SPACING)
        self.successResultOf(permit)

    def test_permits_come_one_by_one(self) -> None:
        """With one at a time, the second comes 5 s after the first was used, by itself."""
        gate = self.gate()
        first, second = gate.acquire(0), gate.acquire(1)
        self.successResultOf(first)
        self.assertNoResult(second)
        self.clock.advance(0.5)
        self.use(gate, 0)
        self.clock.advance(SPACING - 0.01)
        self.assertNoResult(second)
        self.clock.advance(0.02)
        self.successResultOf(second)

    def test_several_at_a_time(self) -> None:
        """With 16 at a time, one of each key."""
        gate = self.gate(Limits(1000, 1000, 0.0, 16))
        permits = [gate.acquire(shard) for shard in range(17)]
        for permit in permits[:16]:
            self.successResultOf(permit)
        self.assertNoResult(permits[16])

    def test_a_permit_given_back_goes_on_at_once(self) -> None:
        """No HELLO came: another shard may try."""
        gate = self.gate()
        self.successResultOf(gate.acquire(0))
        waiting = gate.acquire(1)
        gate.give_back(0)
        self.successResultOf(waiting)

    def test_who_cancels_leaves_the_queue(self) -> None:
        """The next one comes to its turn."""
        gate = self.gate()
        self.successResultOf(gate.acquire(0))
        leaving, staying = gate.acquire(1), gate.acquire(2)
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        gate.give_back(0)
        self.successResultOf(staying)

    def test_a_permit_of_a_dead_child_counts_as_used(self) -> None:
        """It may have been used unseen; its other shards wait no more."""
        gate = self.gate()
        self.successResultOf(gate.acquire(0))
        gone, other = gate.acquire(1), gate.acquire(2)
        gate.lost([0, 1])
        self.failureResultOf(gone, CancelledError)
        self.assertNoResult(other)
        self.clock.advance(SPACING + 0.01)
        self.successResultOf(other)

    def test_a_dead_child_with_nothing_costs_nothing(self) -> None:
        """Its death doesn't hold the others up."""
        gate = self.gate()
        gate.lost([0, 1])
        self.successResultOf(gate.acquire(2))

    def test_the_lowest_go_first_though_they_ask_last(self) -> None:
        """Another process's shards were quicker: they wait for the first group, but not for ever."""
        gate = self.gate()
        gate.expect(range(3), 10.0)
        last = gate.acquire(2)
        self.assertNoResult(last)
        first = gate.acquire(0)
        self.successResultOf(first)
        self.use(gate, 0)
        self.clock.advance(9.9)
        self.assertNoResult(last)
        self.clock.advance(0.2)
        self.successResultOf(last)

    def test_those_that_resume_are_not_waited_for(self) -> None:
        """Only who identifies takes a turn."""
        gate = self.gate()
        gate.expect(range(3), 10.0)
        last = gate.acquire(2)
        gate.not_expected([0, 1])
        self.successResultOf(last)

    def test_a_waiting_shard_is_not_sent_away_as_resuming(self) -> None:
        """It tried to resume, lost its session, and asks: what was said before doesn't count any more."""
        gate = self.gate()
        self.successResultOf(gate.acquire(0))
        waiting = gate.acquire(1)
        gate.not_expected([1])
        gate.give_back(0)
        self.successResultOf(waiting)

    def test_the_next_process_remembers(self) -> None:
        """A restart of rateway doesn't identify twice within 5 s, nor forgets the day's count."""
        gate = self.gate()
        self.successResultOf(gate.acquire(0))
        self.use(gate, 0)
        gate.stop()
        self.clock.advance(1.0)
        after = self.gate()
        permit = after.acquire(0)
        self.assertNoResult(permit)
        self.clock.advance(SPACING)
        self.successResultOf(permit)

    def test_a_permit_is_remembered_from_its_grant_on(self) -> None:
        """The parent may be killed between grant and use."""
        self.successResultOf(self.gate().acquire(0))
        after = self.gate()
        self.assertNoResult(after.acquire(0))

    def test_an_exhausted_allowance_is_said_once_and_waited_for(self) -> None:
        """With how long; afterwards, that it goes on."""
        heard = Heard(self)
        gate = self.gate(Limits(total=1000, remaining=2, reset_after=7200.0, max_concurrency=4))
        permits = [gate.acquire(shard) for shard in range(4)]
        for permit in permits:
            self.assertNoResult(permit)
        self.assertEqual([text for text in heard.texts("warn") if "2 h" in text], heard.texts("warn")[:1])
        gate.refresh(Limits(total=1000, remaining=1000, reset_after=86400.0, max_concurrency=4))
        for permit in permits:
            self.successResultOf(permit)
        self.assertIn("Discord allows session starts again", heard.texts("info"))

    def test_an_exhausted_allowance_fills_by_itself(self) -> None:
        """Discord's reset comes, told or not."""
        gate = self.gate(Limits(total=1000, remaining=2, reset_after=7200.0, max_concurrency=1))
        permit = gate.acquire(0)
        self.clock.advance(7300.0)
        self.successResultOf(permit)

    def test_no_timer_is_left(self) -> None:
        """Not when nobody waits, and not after the end."""
        gate = self.gate()
        self.successResultOf(gate.acquire(0))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        gate.used(0)
        gate.acquire(1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        gate.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @settings(deadline=None, database=None, max_examples=60)
    @given(
        st.lists(
            st.tuples(st.sampled_from(["ask", "use", "back", "cancel", "lose", "wait"]), st.integers(0, 7)), max_size=60
        ),
        st.integers(1, 3),
    )
    def test_two_identifies_of_a_key_are_never_closer_than_five_seconds(
        self, steps: list[tuple[str, int]], concurrency: int
    ) -> None:
        """Whatever shards and children do."""
        gate = FleetGate(clock := Clock(), FakeMemory(), Limits(1000, 1000, 0.0, concurrency), wall=lambda: 1e9)
        permits: dict[int, Deferred[None]] = {}
        times: dict[int, list[float]] = {}
        for step, shard in steps:
            granted = shard in permits and permits[shard].called
            if step == "ask" and shard not in permits:
                permits[shard] = gate.acquire(shard)
                permits[shard].addErrback(lambda failure: failure.trap(CancelledError))
            elif step == "use" and granted:
                del permits[shard]
                self.use(gate, shard)
                times.setdefault(shard % concurrency, []).append(clock.seconds())
            elif step == "back" and granted:
                del permits[shard]
                gate.give_back(shard)
            elif step == "cancel" and shard in permits and not granted:
                permits.pop(shard).cancel()
            elif step == "lose":
                gate.lost([shard])
                permits.pop(shard, None)
            elif step == "wait":
                clock.advance(1.0 + shard / 4)
        for moments in times.values():
            for earlier, later in pairwise(moments):
                self.assertGreaterEqual(later - earlier, 5.0)


class RemoteGateTests(SynchronousTestCase):
    """The gate as a child's shards see it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.fatal = FakeFatal()
        self.gate = FleetGate(self.clock, FakeMemory(), PLENTY, wall=lambda: 1e9)
        end = ChildEnd(frozenset(range(4)), self.gate, self.fatal, lambda cluster, resumable: None, refuse_all)
        self.inside, self.outside, self.pump = connectedServerAndClient(
            lambda: Link(end), lambda: Link(CommandLocator())
        )
        self.remote = RemoteGate(self.inside)

    def test_it_is_a_gate(self) -> None:
        """As shards want one."""
        self.assertTrue(verifyObject(IIdentifyGate, self.remote))

    def test_permits_come_over_the_link(self) -> None:
        """As the parent gives them."""
        first, second = self.remote.acquire(0), self.remote.acquire(1)
        self.pump.flush()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.remote.used(0)
        self.remote.settled(0)
        self.pump.flush()
        self.clock.advance(SPACING + 0.01)
        self.pump.flush()
        self.successResultOf(second)

    def test_one_given_back(self) -> None:
        """The next one has it."""
        self.remote.acquire(0)
        second = self.remote.acquire(1)
        self.pump.flush()
        self.remote.give_back(0)
        self.pump.flush()
        self.successResultOf(second)

    def test_one_withdrawn_while_it_waits(self) -> None:
        """It leaves the parent's queue."""
        self.remote.acquire(0)
        second, third = self.remote.acquire(1), self.remote.acquire(2)
        self.pump.flush()
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.remote.give_back(0)
        self.pump.flush()
        self.successResultOf(third)

    def test_one_withdrawn_while_its_grant_is_under_way(self) -> None:
        """The parent takes it back, and the next one has it."""
        first = self.remote.acquire(0)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        second = self.remote.acquire(1)
        self.pump.flush()
        self.successResultOf(second)

    def test_asking_again_after_a_withdrawal(self) -> None:
        """The answer to the first question is not taken for one to the second."""
        self.remote.acquire(1)
        first = self.remote.acquire(0)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        again = self.remote.acquire(0)
        self.pump.flush()
        self.assertNoResult(again)
        self.remote.give_back(1)
        self.pump.flush()
        self.successResultOf(again)

    def test_a_closed_link_grants_nothing_and_breaks_nothing(self) -> None:
        """The process is about to end; what waits may be cancelled still."""
        self.remote.acquire(0)
        waiting = self.remote.acquire(1)
        self.pump.flush()
        self.outside.close()
        self.pump.flush()
        self.assertNoResult(waiting)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertNoResult(self.remote.acquire(2))
        self.remote.used(0)

    def test_another_childs_shard_is_not_granted(self) -> None:
        """The shard is told that it failed, to ask again later; the link goes on for all others."""
        refused = self.remote.acquire(9)
        self.pump.flush()
        self.failureResultOf(refused, Fault)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        granted = self.remote.acquire(0)
        self.pump.flush()
        self.successResultOf(granted)
