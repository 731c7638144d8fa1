"""Tests for :mod:`rateway.gateway.commands`."""

from __future__ import annotations

import ujson
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.gateway.budget import SLACK, SendBudget
from rateway.gateway.commands import MAX_WAITING, Command, CommandQueue, Outcome, Take
from rateway.gateway.membernews import Limited
from rateway.gateway.repeats import MOST, MOST_TRIES

INTERVAL = 41.25


def _command(token: object, op: int = 4, deadline: float = 1e9) -> Command:
    return Command(op, b'{"op":%d}' % op, deadline, token)


def _tokens(take: Take) -> list[object]:
    return [command.token for command in take.send]


class QueueTests(SynchronousTestCase):
    """Commands wait for the shard and for its budget."""

    def setUp(self) -> None:
        self.queue = CommandQueue()
        self.budget = SendBudget(INTERVAL)

    def test_at_once(self) -> None:
        """With an active shard and room in the budget, they go out in the order they came."""
        for token in range(3):
            self.assertEqual(self.queue.add(_command(token), 0.0), [])
        self.assertEqual(self.queue.next_time(0.0, self.budget), 0.0)
        take = self.queue.due(0.0, self.budget)
        self.assertEqual((_tokens(take), take.refused), ([0, 1, 2], ()))
        self.assertEqual(len(self.queue), 0)
        self.assertIsNone(self.queue.next_time(0.0, self.budget))

    def test_not_active(self) -> None:
        """While the shard isn't active they wait, until their time is over."""
        self.queue.add(_command("a", deadline=30.0), 0.0)
        self.queue.add(_command("b", deadline=20.0), 0.0)
        self.assertEqual(self.queue.due(0.0, None), Take((), ()))
        self.assertEqual(self.queue.next_time(0.0, None), 20.0)
        (refused,) = self.queue.due(20.0, None).refused
        self.assertEqual(refused.token, "b")
        self.assertIn("not connected", refused.reason)
        self.assertEqual(self.queue.next_time(20.0, None), 30.0)
        self.assertEqual(_tokens(self.queue.due(29.9, self.budget)), ["a"])

    def test_criterion_44_whole_lists(self) -> None:
        """All members of a guild are asked for once in 30 s: more is refused, and costs nothing of the budget."""

        def ask(token: str, now: float, **more: object) -> Take:
            d = {"guild_id": "7", "query": "", "limit": 0} | more
            self.queue.add(Command(8, ujson.dumps({"op": 8, "d": d}).encode(), 1e9, token), now)
            return self.queue.due(now, self.budget)

        self.assertEqual(_tokens(ask("first", 0.0)), ["first"])
        for now in (0.0, 10.0, 30.0):
            take = ask("again", now)
            self.assertEqual(take.send, ())
            (refused,) = take.refused
            self.assertIn("guild 7", refused.reason)
        self.assertEqual(_tokens(ask("another guild", 10.0, guild_id="8")), ["another guild"])
        self.assertEqual(_tokens(ask("a prefix", 10.0, query="a", limit=5)), ["a prefix"])
        self.assertEqual(_tokens(ask("one", 10.0, query=None, user_ids=["9"])), ["one"])
        self.assertEqual(_tokens(ask("later", 30.0 + SLACK)), ["later"])

    def _lists(self, *guilds: int, **more: object) -> list[bytes]:
        """Requests for the whole lists of these guilds, on their way to Discord at second 0."""
        payloads = [
            ujson.dumps({"op": 8, "d": {"guild_id": str(guild), "query": "", "limit": 0} | more}).encode()
            for guild in guilds
        ]
        for payload in payloads:
            self.queue.add(Command(8, payload, 1e9, None), 0.0)
        self.assertEqual(len(self.queue.due(0.0, self.budget).send), len(guilds))
        return payloads

    def test_criterion_44_rate_limited(self) -> None:
        """What Discord refuses is sent again when it says, and nobody asks for that list before."""
        first, _ = self._lists(7, 8, nonce="mine")
        self.assertTrue(self.queue.listens(1.0))
        self.queue.limited(Limited(7, "mine", 60.0), 1.0)
        self.assertEqual(self.queue.next_time(1.0, self.budget), 61.0 + SLACK)
        self.assertIsNone(self.queue.next_time(1.0, None))
        self.queue.add(Command(8, first, 1e9, "bot"), 40.0)
        (refused,) = self.queue.due(40.0, self.budget).refused
        self.assertIn("ask in 22 s", refused.reason)
        self.assertEqual(self.queue.due(61.0, self.budget), Take((), ()))
        self.assertEqual(self.queue.due(61.0 + SLACK, None), Take((), ()))
        self.assertEqual(self.queue.due(61.0 + SLACK, self.budget).again, (first,))
        self.assertEqual(self.queue.due(1000.0, self.budget).again, ())
        self.assertFalse(self.queue.listens(1000.0))

    def test_refusals_of_others(self) -> None:
        """Of another nonce, another guild, or so late that it can't be ours: nothing is sent again."""
        self._lists(7, 8, nonce="mine")
        self.queue.limited(Limited(7, "other", 5.0), 1.0)
        self.queue.limited(Limited(9, None, 5.0), 1.0)
        self.assertFalse(self.queue.listens(30.0))
        self.queue.limited(Limited(8, "mine", 5.0), 30.0)
        self.assertIsNone(self.queue.next_time(30.0, self.budget))

    def test_a_refusal_without_a_nonce(self) -> None:
        """It is of the one request that there is."""
        (payload,) = self._lists(7, nonce="longer than Discord gives back: 32 bytes")
        self.queue.limited(Limited(7, None, 5.0), 1.0)
        self.assertEqual(self.queue.due(6.0 + SLACK, self.budget).again, (payload,))

    def test_refused_again_and_again(self) -> None:
        """Five times a list is asked for in all."""
        (payload,) = self._lists(7)
        now, sent = 0.0, 1
        while (sent == 1 or self.queue.due(now, self.budget).again == (payload,)) and sent < 50:
            self.queue.limited(Limited(7, None, 2.0), now)
            now += 2.0 + SLACK
            sent += 1
        self.assertEqual(sent - 1, MOST_TRIES)

    def test_asked_for_meanwhile(self) -> None:
        """If rateway itself got the turn it is put off, though not for ever."""
        self._lists(7)
        self.queue.limited(Limited(7, None, 2.0), 0.0)
        now = 5.0
        for _ in range(MOST_TRIES):
            self.assertEqual(self.queue.whole_lists.ask(7, now), 0.0)
            self.assertEqual(self.queue.due(now, self.budget), Take((), ()))
            now += 30.0 + SLACK
        self.assertEqual(self.queue.due(now, self.budget), Take((), ()))
        self.assertIsNone(self.queue.next_time(now, self.budget))

    def test_a_bot_asks_meanwhile(self) -> None:
        """It may when Discord says so: then that request is the one that counts."""
        self._lists(7, nonce="first")
        self.queue.limited(Limited(7, "first", 60.0), 0.0)
        self.queue.limited(Limited(7, "another's", 2.0), 1.0)
        newer = b'{"op":8,"d":{"guild_id":"7","query":"","limit":0,"nonce":"second"}}'
        self.queue.add(Command(8, newer, 1e9, "bot"), 10.0)
        self.assertEqual(_tokens(self.queue.due(10.0, self.budget)), ["bot"])
        self.assertEqual(self.queue.due(70.0, self.budget), Take((), ()))

    def test_new_session(self) -> None:
        """Nothing of the old session's is sent again, nor when rateway stops."""
        for stops in (False, True):
            self.setUp()
            self._lists(7, 8)
            self.queue.limited(Limited(7, None, 5.0), 1.0)
            if stops:
                self.queue.refuse_all("stopping")
            else:
                self.queue.session_began()
            self.assertFalse(self.queue.listens(1.0))
            self.assertIsNone(self.queue.next_time(1.0, self.budget))

    def test_repeats_keep_to_the_budget(self) -> None:
        """They wait for room as everything does, and are no more than can be kept."""
        self._lists(*range(1, MOST + 6))
        for guild in range(1, MOST + 6):
            self.queue.limited(Limited(guild, None, 2.0), 0.0)
        sent = len(self.queue.due(3.0, self.budget).again)
        self.assertEqual(sent, 115 - MOST - 5)
        then = self.queue.next_time(3.0, self.budget)
        self.assertEqual(then, 60.0 + SLACK)
        self.assertEqual(len(self.queue.due(100.0, self.budget).again), MOST - sent)

    def test_flood(self) -> None:
        """150 at once: as many as the budget has go out, the others when it has room again."""
        for token in range(150):
            self.queue.add(_command(token), 0.0)
        self.assertEqual(_tokens(self.queue.due(0.0, self.budget)), list(range(115)))
        slot = self.queue.next_time(0.0, self.budget)
        self.assertEqual(slot, 60.0 + SLACK)
        assert slot is not None
        self.assertEqual(self.queue.due(slot - 0.01, self.budget).send, ())
        self.assertEqual(_tokens(self.queue.due(slot, self.budget)), list(range(115, 150)))

    def test_no_budget_in_time(self) -> None:
        """What the budget has no room for in time is refused, with that reason."""
        for token in range(116):
            self.queue.add(_command(token, deadline=30.0), 0.0)
        self.queue.due(0.0, self.budget)
        self.assertEqual(self.queue.next_time(0.0, self.budget), 30.0)
        (refused,) = self.queue.due(30.0, self.budget).refused
        self.assertEqual(refused.token, 115)
        self.assertIn("120 payloads in 60 s", refused.reason)

    def test_too_late(self) -> None:
        """A command whose time is over when it comes is refused at once."""
        (refused,) = self.queue.add(_command("old", deadline=5.0), 5.0)
        self.assertEqual(refused.token, "old")
        self.assertIn("COMMAND_TTL", refused.reason)
        self.assertEqual(len(self.queue), 0)

    def test_full(self) -> None:
        """The queue is bounded: what comes beyond is refused, but a presence still has its place."""
        for token in range(MAX_WAITING):
            self.assertEqual(self.queue.add(_command(token), 0.0), [])
        (refused,) = self.queue.add(_command("more"), 0.0)
        self.assertEqual(refused.token, "more")
        self.assertIn("waiting", refused.reason)
        self.assertEqual(self.queue.add(_command("presence", op=3), 0.0), [])

    def test_refuse_all(self) -> None:
        """At the end everything that waits is refused."""
        self.queue.add(_command("a"), 0.0)
        self.assertEqual(self.queue.refuse_all("rateway stops"), [Outcome("a", "rateway stops")])
        self.queue.add(_command("b"), 0.0)
        self.queue.add(_command("c", op=3), 0.0)
        self.assertEqual([outcome.token for outcome in self.queue.refuse_all("rateway stops")], ["b", "c"])
        self.assertEqual(self.queue.refuse_all("rateway stops"), [])

    def test_new_connection(self) -> None:
        """What waits survives the connection, and goes out on the next one's budget."""
        self.queue.add(_command("a"), 0.0)
        self.queue.due(0.0, None)
        self.assertEqual(_tokens(self.queue.due(10.0, SendBudget(INTERVAL))), ["a"])

    def test_budget_never_has_room(self) -> None:
        """Where heartbeats alone fill the limit, commands wait until their time is over."""
        budget = SendBudget(0.1)
        self.queue.add(_command("a", deadline=30.0), 0.0)
        self.queue.add(_command("b", op=3, deadline=40.0), 0.0)
        self.assertEqual(self.queue.next_time(0.0, budget), 30.0)
        self.assertEqual(len(self.queue.due(40.0, budget).refused), 2)


class PresenceTests(SynchronousTestCase):
    """Presence updates: five in 20 s, and only the newest matters."""

    def setUp(self) -> None:
        self.queue = CommandQueue()
        self.budget = SendBudget(INTERVAL)

    def test_newest_wins(self) -> None:
        """A newer presence takes the place of one that waits; whoever sent that one is told."""
        self.assertEqual(self.queue.add(_command("old", op=3), 0.0), [])
        (refused,) = self.queue.add(_command("new", op=3), 0.0)
        self.assertEqual((refused.token, refused.reason), ("old", "superseded by a newer presence"))
        self.assertEqual(_tokens(self.queue.due(0.0, self.budget)), ["new"])

    def test_fifty_in_a_second(self) -> None:
        """Criterion 42: of 50 in a second, five go out in 20 s, and the last one wins in the end."""
        sent: list[object] = []
        refused: list[object] = []
        for number in range(50):
            now = number / 50
            refused += [outcome.token for outcome in self.queue.add(_command(number, op=3), now)]
            sent += _tokens(self.queue.due(now, self.budget))
        self.assertEqual(sent, [0, 1, 2, 3, 4])
        slot = self.queue.next_time(1.0, self.budget)
        self.assertEqual(slot, 20.0 + SLACK)
        self.assertEqual(_tokens(self.queue.due(19.9, self.budget)), [])
        self.assertEqual(_tokens(self.queue.due(20.0 + SLACK, self.budget)), [49])
        self.assertEqual(sorted(map(str, refused)), sorted(map(str, range(5, 49))))

    def test_others_pass_by(self) -> None:
        """A presence that has to wait doesn't hold up other commands."""
        for number in range(6):
            self.queue.add(_command(number, op=3), 0.0)
            self.queue.due(0.0, self.budget)
        self.queue.add(_command("voice"), 0.0)
        self.assertEqual(self.queue.next_time(0.0, self.budget), 0.0)
        self.assertEqual(_tokens(self.queue.due(0.0, self.budget)), ["voice"])

    def test_limit_outlives_the_connection(self) -> None:
        """A new connection doesn't begin the 20 s anew."""
        for number in range(5):
            self.queue.add(_command(number, op=3), 0.0)
            self.queue.due(0.0, self.budget)
        self.queue.add(_command(5, op=3), 1.0)
        self.assertEqual(self.queue.due(1.0, SendBudget(INTERVAL)).send, ())

    def test_presence_runs_out_of_time(self) -> None:
        """A presence waits no longer than its time."""
        self.queue.add(_command("presence", op=3, deadline=30.0), 0.0)
        (refused,) = self.queue.due(30.0, None).refused
        self.assertEqual(refused.token, "presence")
        self.assertEqual(len(self.queue), 0)

    def test_presence_needs_budget(self) -> None:
        """A presence waits for the budget like anything else."""
        for _ in range(115):
            self.budget.sent(0.0)
        self.queue.add(_command("presence", op=3), 0.0)
        self.assertEqual(self.queue.next_time(0.0, self.budget), 60.0 + SLACK)
        self.assertEqual(self.queue.due(0.0, self.budget).send, ())


_steps = st.lists(
    st.tuples(st.sampled_from(["add", "presence", "wait", "drop", "open"]), st.floats(0.0, 40.0), st.integers(1, 60)),
    max_size=40,
)


class InvariantTests(SynchronousTestCase):
    """What holds whatever comes."""

    @settings(deadline=None, database=None, max_examples=150)
    @given(steps=_steps)
    def test_each_has_one_outcome(self, steps: list[tuple[str, float, int]]) -> None:
        """Each command is sent once or refused once, by its deadline; never more than the limits allow."""
        queue, budget, now, count = CommandQueue(), SendBudget(INTERVAL), 0.0, 0
        active: SendBudget | None = budget
        deadlines: dict[int, float] = {}
        sent: list[tuple[float, int, int]] = []
        ended: list[object] = []
        for kind, seconds, many in steps:
            if kind in ("add", "presence"):
                for _ in range(many):
                    deadlines[count] = now + seconds
                    command = _command(count, op=3 if kind == "presence" else 4, deadline=now + seconds)
                    ended += [outcome.token for outcome in queue.add(command, now)]
                    count += 1
            elif kind == "drop":
                active = None
            elif kind == "open":
                active = budget
            end = now + (seconds if kind == "wait" else 0.0)
            for _ in range(1000):
                take = queue.due(now, active)
                for sending in take.send:
                    assert isinstance(sending.token, int)
                    self.assertLess(now, deadlines[sending.token])
                    sent.append((now, sending.op, sending.token))
                ended += [outcome.token for outcome in take.refused]
                following = queue.next_time(now, active)
                if following is None or following > end:
                    break
                now = following
            else:
                self.fail("the queue wakes up for nothing, over and over")
            now = end
        ended += [token for _, _, token in sent]
        ended += [outcome.token for outcome in queue.refuse_all("end")]
        self.assertEqual(sorted(map(str, ended)), sorted(map(str, range(count))))
        for time, _, _ in sent:
            self.assertLessEqual(sum(time - 60.0 <= other <= time for other, _, _ in sent), 115)
            self.assertLessEqual(sum(op == 3 and time - 20.0 <= other <= time for other, op, _ in sent), 5)
