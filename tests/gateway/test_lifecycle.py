"""A shard's life cycle: every state with every input, the stories Discord tells us, and what never happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.gateway.actions import (
    Action,
    Actions,
    AskPermit,
    BeginHeartbeat,
    CancelTimer,
    Close,
    Connect,
    Fail,
    ForgetSession,
    GiveBackPermit,
    GoOnReading,
    Note,
    SendHeartbeat,
    SendIdentify,
    SendResume,
    SetTimer,
    SettlePermit,
    StopReading,
    WithdrawPermit,
)
from rateway.gateway.backoff import Backoff
from rateway.gateway.conduct import (
    ANSWER_TIMEOUT,
    GREETED_TIMEOUT,
    HELLO_TIMEOUT,
    PAUSE_LIMIT,
    PERMIT_AGE,
    TOO_MUCH_WAIT,
)
from rateway.gateway.lifecycle import Lifecycle
from rateway.gateway.session import TRIES_AT_HOME
from rateway.model.closecodes import OwnClose
from rateway.model.intents import Intent

GENERAL = "wss://gateway.example"
HOME = "wss://home.example"
INTERVAL = 41.25
A = TypeVar("A")


class Story:
    """A life cycle, a clock, and all that was ever asked of the shell."""

    def __init__(self, session: bool = False, chance: float = 0.5, intents: int = int(Intent.GUILDS)) -> None:
        self.now = 1000.0
        self.due: float | None = None
        self.done: Actions = []
        self.life = Lifecycle(7, intents, GENERAL, HOME if session else None, Backoff(), lambda: chance)

    def tell(self, happening: Callable[[Lifecycle, float], Actions]) -> Actions:
        """Something happens; the actions are noted, the timer is kept."""
        actions = happening(self.life, self.now)
        for action in actions:
            if isinstance(action, SetTimer):
                self.due = self.now + action.delay
            elif isinstance(action, CancelTimer):
                self.due = None
        self.done += actions
        return actions

    def wait(self) -> Actions:
        """Let time pass until the timer fires."""
        assert self.due is not None, f"no timer in {self.life.state}"
        self.now, self.due = self.due, None
        return self.tell(timer_fired)

    def told(self, kind: type[A]) -> list[A]:
        """All actions of a kind so far."""
        return [action for action in self.done if isinstance(action, kind)]

    def clear(self) -> Story:
        """Forget what was asked so far."""
        self.done = []
        return self


def only(kind: type[A], actions: Actions) -> A:
    """The one action of a kind."""
    (found,) = [action for action in actions if isinstance(action, kind)]
    return found


def deeds(actions: Actions) -> list[type[Action]]:
    """What is done, without timers and log lines."""
    return [type(action) for action in actions if not isinstance(action, SetTimer | CancelTimer | Note)]


Happening = Callable[[Lifecycle, float], Actions]


def start(life: Lifecycle, now: float) -> Actions:
    return life.start(now)


def stop(life: Lifecycle, now: float) -> Actions:
    return life.stop(now)


def stop_for_good(life: Lifecycle, now: float) -> Actions:
    return life.stop(now, final=True)


def permit_granted(life: Lifecycle, now: float) -> Actions:
    return life.permit_granted(now)


def renew(life: Lifecycle, now: float) -> Actions:
    return life.renew(now)


def permit_refused(life: Lifecycle, now: float) -> Actions:
    return life.permit_refused("the gate is gone", now)


def hello(life: Lifecycle, now: float) -> Actions:
    return life.hello(INTERVAL, now)


def ready(life: Lifecycle, now: float) -> Actions:
    return life.ready(HOME, now)


def resumed(life: Lifecycle, now: float) -> Actions:
    return life.resumed(now)


def replaying(life: Lifecycle, now: float) -> Actions:
    life.replaying(now)
    return []


def heartbeat_asked(life: Lifecycle, now: float) -> Actions:
    return life.heartbeat_asked(now)


def op7(life: Lifecycle, now: float) -> Actions:
    return life.reconnect_asked(now)


def op9_true(life: Lifecycle, now: float) -> Actions:
    return life.invalid_session(True, now)


def op9_false(life: Lifecycle, now: float) -> Actions:
    return life.invalid_session(False, now)


def dropped(life: Lifecycle, now: float) -> Actions:
    return life.closed(None, "Connection was refused", now)


def zombie(life: Lifecycle, now: float) -> Actions:
    return life.broken(OwnClose.ZOMBIE, "no ACK", now)


def undecodable(life: Lifecycle, now: float) -> Actions:
    return life.broken(OwnClose.UNDECODABLE, "no JSON", now)


def timer_fired(life: Lifecycle, now: float) -> Actions:
    return life.timer_fired(now)


def pause(life: Lifecycle, now: float) -> Actions:
    return life.pause(now)


def unpause(life: Lifecycle, now: float) -> Actions:
    return life.unpause(now)


_CLOSINGS: dict[int, Happening] = {}


def closed(code: int) -> Happening:
    """Discord closes with a code; the same function for the same code."""

    def happening(life: Lifecycle, now: float) -> Actions:
        return life.closed(code, "", now)

    happening.__name__ = f"closed_{code}"
    return _CLOSINGS.setdefault(code, happening)


PATHS: dict[str, tuple[bool, list[Happening]]] = {
    # state: with a session at first, and what leads there
    "idle": (False, []),
    "queued": (False, [start]),
    "permitted": (False, [start, permit_granted]),
    "overdue": (False, [start, permit_granted, timer_fired]),
    "greeted": (False, [start, permit_granted, timer_fired, hello]),
    "connecting": (True, [start]),
    "identifying": (False, [start, permit_granted, hello]),
    "resuming": (True, [start, hello]),
    "active": (True, [start, hello, resumed]),
    "waiting": (True, [start, hello, resumed, dropped]),
    "held": (True, [pause, start]),
    "stopped": (True, [start, stop]),
}


def story_at(state: str, chance: float = 0.5, intents: int = int(Intent.GUILDS)) -> Story:
    """A story that has come to a state."""
    session, path = PATHS[state]
    story = Story(session, chance, intents)
    for happening in path:
        story.tell(happening)
    assert story.life.state == state, story.life.state
    return story.clear()


CONNECTED = ("permitted", "overdue", "greeted", "connecting", "identifying", "resuming", "active")
ASKED = ("identifying", "resuming", "active")


def to(target: str, *states: str) -> dict[str, str]:
    """All these states lead to one."""
    return dict.fromkeys(states, target)


TABLE: dict[Happening, dict[str, str]] = {
    # what happens: which states it leaves, and where to; in all others nothing changes
    start: {"idle": "queued"},
    stop: to("stopped", *PATHS),
    stop_for_good: to("stopped", *PATHS),
    permit_granted: {"queued": "permitted", "greeted": "identifying"},
    renew: {"queued": "permitted", "greeted": "identifying", "active": "permitted"},
    permit_refused: {"queued": "waiting", "greeted": "waiting"},
    hello: {"permitted": "identifying", "overdue": "greeted", "connecting": "resuming"},
    ready: {
        **to("active", *ASKED),
        **to("waiting", "permitted", "overdue", "greeted", "connecting"),
    },
    resumed: {"resuming": "active"},
    replaying: {},
    heartbeat_asked: {},
    op7: to("waiting", *CONNECTED),
    op9_true: to("waiting", *CONNECTED),
    op9_false: to("waiting", *CONNECTED),
    dropped: to("waiting", *CONNECTED),
    closed(1000): to("waiting", *CONNECTED),
    closed(4007): to("waiting", *CONNECTED),
    closed(4008): to("waiting", *CONNECTED),
    closed(4009): to("waiting", *CONNECTED),
    closed(4004): to("stopped", *CONNECTED),
    closed(4014): to("stopped", *CONNECTED),
    zombie: to("waiting", *CONNECTED),
    undecodable: to("waiting", *CONNECTED),
    timer_fired: {
        "permitted": "overdue",
        "greeted": "queued",
        "waiting": "connecting",
        **to("waiting", "overdue", "connecting"),
    },
    pause: to("held", "queued", "permitted", "overdue", "greeted", "connecting"),
    unpause: {"held": "connecting"},
}


class EveryInputTests(SynchronousTestCase):
    """No pair of state and input is forgotten."""

    def test_every_state_with_every_input(self) -> None:
        """Whatever happens in whatever state, the shard knows where it leads, and never fails."""
        for state in PATHS:
            for happening, leads in TABLE.items():
                story = story_at(state)
                story.tell(happening)
                pair = f"{state} on {happening.__name__}"
                self.assertEqual(story.life.state, leads.get(state, state), pair)

    def test_paused_states(self) -> None:
        """A pause keeps a connection that carries events, without reading; its timer then ends it."""
        for state in ASKED:
            story = story_at(state)
            self.assertEqual(deeds(story.tell(pause)), [StopReading])
            self.assertEqual(story.life.state, state)
            self.assertEqual(story.due, story.now + PAUSE_LIMIT)
            actions = story.wait()
            self.assertEqual(only(Close, actions).code, OwnClose.PAUSED)
            self.assertEqual(story.life.state, "held")
            self.assertIsNone(story.due)

    def test_a_connection_that_ends_pays_its_debts_to_the_gate(self) -> None:
        """Whatever ends an attempt to identify, the gate learns what became of the permit: no key is held for ever."""
        owed = {"permitted": GiveBackPermit, "greeted": WithdrawPermit, "identifying": SettlePermit}
        ends = (op7, op9_true, op9_false, dropped, closed(4000), closed(4004), zombie, undecodable, stop, stop_for_good)
        for state, debt in owed.items():
            for end in ends:
                actions = story_at(state).tell(end)
                self.assertIn(debt, deeds(actions), f"{state} on {end.__name__}")

    def test_never_1000_unless_final(self) -> None:
        """Close 1000 and 1001 would end the session: in no state is it sent, but at the final stop."""
        for state in PATHS:
            for happening in TABLE:
                codes = {action.code for action in story_at(state).tell(happening) if isinstance(action, Close)}
                final = happening is stop_for_good
                self.assertFalse(codes & {1000, 1001} and not final, f"{state} on {happening.__name__}: {codes}")

    def test_a_final_stop_closes_with_1000_and_forgets(self) -> None:
        """The final stop ends the session with Discord."""
        actions = story_at("active").tell(stop_for_good)
        self.assertEqual(deeds(actions), [Close, ForgetSession])
        self.assertEqual(only(Close, actions).code, 1000)

    def test_a_stop_keeps_the_session(self) -> None:
        """An ordinary stop leaves the session to the next process."""
        actions = story_at("active").tell(stop)
        self.assertEqual(deeds(actions), [Close])
        self.assertEqual(only(Close, actions).code, OwnClose.STOPPING)


class StartTests(SynchronousTestCase):
    """From nothing to active."""

    def test_ac01_identify(self) -> None:
        """A first start asks for a permit, connects, sends IDENTIFY after HELLO, and is active on READY."""
        story = Story()
        self.assertEqual(deeds(story.tell(start)), [AskPermit])
        self.assertEqual(only(Connect, story.tell(permit_granted)).url, GENERAL)
        story.now += 0.3
        self.assertEqual(story.tell(hello)[:2], [BeginHeartbeat(INTERVAL), SendIdentify()])
        self.assertEqual(deeds(story.tell(ready)), [SettlePermit])
        self.assertEqual(story.life.state, "active")
        self.assertIsNone(story.due)

    def test_ac29_a_resume_asks_nobody(self) -> None:
        """A shard with a session resumes at once on the session's own host, without a permit."""
        story = Story(session=True)
        self.assertEqual(only(Connect, story.tell(start)).url, HOME)
        self.assertEqual(story.tell(hello)[:2], [BeginHeartbeat(INTERVAL), SendResume()])
        story.tell(resumed)
        self.assertEqual(story.life.state, "active")
        self.assertEqual(story.told(AskPermit), [])

    def test_a_slow_hello_costs_the_permit_but_not_the_connection(self) -> None:
        """A permit HELLO doesn't answer in 2 s goes back; with HELLO there, the shard asks again and identifies."""
        story = story_at("permitted")
        self.assertEqual(story.due, story.now + PERMIT_AGE)
        self.assertEqual(deeds(story.wait()), [GiveBackPermit])
        self.assertEqual(story.due, story.now + HELLO_TIMEOUT - PERMIT_AGE)
        story.now += 1
        self.assertEqual(deeds(story.tell(hello)), [BeginHeartbeat, AskPermit])
        self.assertEqual(deeds(story.tell(permit_granted)), [SendIdentify])
        self.assertEqual(story.life.state, "identifying")

    def test_an_old_permit_is_not_used_though_the_timer_is_late(self) -> None:
        """When the process was busy and HELLO is read before the timer fires, the permit's age still counts."""
        story = story_at("permitted")
        story.now += PERMIT_AGE + 0.1
        self.assertEqual(deeds(story.tell(hello)), [GiveBackPermit, BeginHeartbeat, AskPermit])
        self.assertEqual(story.life.state, "greeted")

    def test_a_permit_that_does_not_come_is_waited_for_unconnected(self) -> None:
        """The place in the queue is kept, the idle connection isn't."""
        story = story_at("greeted")
        self.assertEqual(story.due, story.now + GREETED_TIMEOUT)
        self.assertEqual(deeds(story.wait()), [Close])
        self.assertEqual(story.life.state, "queued")
        self.assertEqual(deeds(story.tell(permit_granted)), [Connect])

    def test_a_gate_that_fails_is_asked_again(self) -> None:
        """No permit today: the shard backs off and asks again."""
        story = story_at("queued")
        story.tell(permit_refused)
        self.assertEqual(deeds(story.wait()), [AskPermit])

    def test_a_stray_permit_is_given_back(self) -> None:
        """A permit that comes when none is wanted is not kept."""
        for state in ("idle", "connecting", "resuming", "active", "waiting", "held", "stopped"):
            self.assertEqual(deeds(story_at(state).tell(permit_granted)), [GiveBackPermit], state)


class HeartbeatTests(SynchronousTestCase):
    """What the life cycle has to do with heartbeats."""

    def test_ac03_the_interval_is_hellos(self) -> None:
        """The heartbeat begins with HELLO, at Discord's interval, also while a permit is waited for."""
        for state in ("permitted", "overdue", "connecting"):
            self.assertEqual(only(BeginHeartbeat, story_at(state).tell(hello)).interval, INTERVAL)

    def test_ac04_op1_is_answered_at_once(self) -> None:
        """Op 1 brings a heartbeat, and nothing else."""
        for state in ("greeted", "identifying", "resuming", "active"):
            self.assertEqual(story_at(state).tell(heartbeat_asked), [SendHeartbeat()], state)

    def test_ac05_a_zombie_is_dropped_and_resumed(self) -> None:
        """No ACK: close with a code of ours, connect to the session's host, RESUME."""
        story = story_at("active")
        self.assertEqual(only(Close, story.tell(zombie)).code, OwnClose.ZOMBIE)
        self.assertEqual(only(Connect, story.wait()).url, HOME)
        self.assertIn(SendResume(), story.tell(hello))


class ReconnectTests(SynchronousTestCase):
    """Op 7, op 9, and lost connections."""

    def test_ac07_op7_before_hello(self) -> None:
        """Op 7 instead of HELLO: reconnect after a while, no IDENTIFY; the permit goes back."""
        story = Story()
        story.tell(start)
        delays = []
        for _ in range(6):
            story.tell(permit_granted)
            actions = story.tell(op7)
            self.assertEqual(deeds(actions), [GiveBackPermit, Close])
            delays.append(only(SetTimer, actions).delay)
            story.wait()
        self.assertEqual(story.told(SendIdentify), [])
        self.assertEqual(delays, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0])

    def test_ac08_op7_while_active(self) -> None:
        """Op 7: a resumable close, then RESUME within half a second."""
        story = story_at("active")
        actions = story.tell(op7)
        self.assertEqual(only(Close, actions).code, OwnClose.RECONNECT)
        self.assertLessEqual(only(SetTimer, actions).delay, 0.5)
        story.wait()
        self.assertIn(SendResume(), story.tell(hello))

    def test_ac10_to_13_whatever_is_no_verdict_on_the_session_resumes(self) -> None:
        """Reset, 1000, 1001, 1006, 4000-4002, 4005, 4008, unknown codes: the session is resumed, never forgotten."""
        for code in (1000, 1001, 1006, 1011, 3000, 4000, 4001, 4002, 4005, 4008, 4321):
            story = story_at("active")
            self.assertEqual(deeds(story.tell(closed(code))), [], str(code))
            story.wait()
            self.assertIn(SendResume(), story.tell(hello), str(code))

    def test_ac13_too_much_sent_waits(self) -> None:
        """4008 is our fault: it is logged as such, and the RESUME waits."""
        for code in (4001, 4002, 4005, 4008):
            actions = story_at("active").tell(closed(code))
            self.assertTrue(only(Note, actions).our_fault)
            self.assertEqual(only(SetTimer, actions).delay >= TOO_MUCH_WAIT, code == 4008)

    def test_ac14_a_session_that_is_gone_is_forgotten(self) -> None:
        """4003, 4006, 4007: forget the session, IDENTIFY by permit on the general URL."""
        for code in (4003, 4006, 4007):
            for state in ("resuming", "active"):
                story = story_at(state)
                self.assertEqual(deeds(story.tell(closed(code))), [ForgetSession])
                self.assertEqual(deeds(story.wait()), [AskPermit])
                self.assertEqual(only(Connect, story.tell(permit_granted)).url, GENERAL)
                self.assertIn(SendIdentify(), story.tell(hello))

    def test_ac15_a_session_that_timed_out_is_resumed_once(self) -> None:
        """4009: one RESUME is tried; 4009 again means IDENTIFY."""
        story = story_at("active")
        self.assertEqual(deeds(story.tell(closed(4009))), [])
        story.wait()
        self.assertIn(SendResume(), story.tell(hello))
        self.assertEqual(deeds(story.tell(closed(4009))), [ForgetSession])

    def test_4009_after_a_resume_that_worked_counts_anew(self) -> None:
        """A RESUME that worked proves the session: the next 4009 is a first one."""
        story = story_at("active")
        for _ in range(3):
            self.assertEqual(deeds(story.tell(closed(4009))), [])
            story.wait()
            story.tell(hello)
            story.tell(resumed)

    def test_ac18_op9_false_after_resume(self) -> None:
        """The RESUME is refused: wait 1-5 s, then IDENTIFY by permit on the general URL."""
        for chance in (0.0, 0.5, 1.0):
            story = story_at("resuming", chance)
            actions = story.tell(op9_false)
            self.assertEqual(deeds(actions), [Close, ForgetSession])
            self.assertEqual(only(SetTimer, actions).delay, 1 + 4 * chance)
            self.assertEqual(deeds(story.wait()), [AskPermit])
            self.assertEqual(only(Connect, story.tell(permit_granted)).url, GENERAL)

    def test_what_a_lost_session_costs_is_said(self) -> None:
        """The session after a lost one begins with a warning, the first one without."""
        story = story_at("identifying")
        self.assertFalse(only(Note, story.tell(ready)).loss)
        story.tell(op9_false)
        story.wait()
        for happening in (permit_granted, hello):
            story.tell(happening)
        note = only(Note, story.tell(ready))
        self.assertTrue(note.loss)
        self.assertIn("is missing", note.sentence)

    def test_ac19_op9_true_keeps_the_session(self) -> None:
        """Op 9 true: wait 1-5 s, then RESUME."""
        for state in ("active", "resuming"):
            story = story_at(state)
            actions = story.tell(op9_true)
            self.assertEqual(deeds(actions), [Close])
            self.assertEqual(only(SetTimer, actions).delay, 3.0)
            story.wait()
            self.assertIn(SendResume(), story.tell(hello))

    def test_ac20_op9_after_identify_queues_again(self) -> None:
        """The IDENTIFY is refused: back into the queue, later and later, no tight loop."""
        for refusal in (op9_false, op9_true):
            story = story_at("identifying")
            delays = []
            for _ in range(8):
                actions = story.tell(refusal)
                self.assertEqual(deeds(actions), [SettlePermit, Close])
                delays.append(only(SetTimer, actions).delay)
                self.assertEqual(deeds(story.wait()), [AskPermit])
                story.tell(permit_granted)
                story.tell(hello)
            self.assertGreaterEqual(min(delays), 1.0)
            self.assertEqual(delays, sorted(delays))
            self.assertEqual(delays[-1], 30.0)

    def test_op9_before_anything_was_asked_is_no_verdict(self) -> None:
        """Op 9 false before RESUME was sent can't mean the session: it is kept."""
        self.assertEqual(deeds(story_at("connecting").tell(op9_false)), [Close])

    def test_op9_false_while_active(self) -> None:
        """Discord ends the session: forget it."""
        self.assertEqual(deeds(story_at("active").tell(op9_false)), [Close, ForgetSession])

    def test_renewed_while_active(self) -> None:
        """A session that runs is given up for a new one, once the permit is there, by a code that ends nothing."""
        story = story_at("active")
        actions = story.tell(renew)
        self.assertEqual([type(each) for each in actions[1:]], [Close, CancelTimer, Note, Connect, SetTimer])
        self.assertEqual((only(Close, actions).code, only(Connect, actions).url), (OwnClose.RECONNECT, GENERAL))
        self.assertEqual(deeds(story.tell(hello))[-1], SendIdentify)
        self.assertTrue(only(Note, story.tell(ready)).loss)

    def test_renewed_in_vain(self) -> None:
        """Until the new session begins the old one is kept: whatever goes wrong, it is resumed at its own host."""
        ways: dict[str, list[Happening]] = {
            "permitted": [],
            "overdue": [timer_fired],
            "greeted": [timer_fired, hello],
            "identifying": [hello],
        }
        ends = (op7, op9_true, op9_false, dropped, closed(4000), closed(4007), closed(4009), zombie, undecodable)
        for state, way in ways.items():
            for end in (*ends, timer_fired):
                story = story_at("active")
                for happening in (renew, *way):
                    story.tell(happening)
                self.assertEqual(story.life.state, state)
                if end is timer_fired and state == "permitted":
                    # Then it is overdue.
                    continue
                if end is timer_fired and state == "identifying":
                    story.now += ANSWER_TIMEOUT
                actions = story.tell(end)
                self.assertEqual((story.life.state, story.told(ForgetSession)), ("waiting", []), f"{state}, {end}")
                self.assertIn("resuming in", only(Note, actions).sentence)
                self.assertEqual(only(Connect, story.wait()).url, HOME)
                story.tell(hello)
                self.assertEqual(len(story.told(SendResume)), 1)


class FallbackTests(SynchronousTestCase):
    """When the session's own host fails."""

    def urls(self, story: Story, count: int, *path: Happening) -> list[str]:
        """Where the next attempts go, each of which ends by ``path``."""
        urls = []
        for _ in range(count):
            urls.append(only(Connect, story.wait()).url)
            for happening in path:
                story.tell(happening)
        return urls

    def test_ac22_a_host_that_refuses_falls_back_and_keeps_the_session(self) -> None:
        """Nobody reachable: after some tries the general gateway is asked in turn; the session is never given up."""
        story = story_at("active")
        story.tell(dropped)
        expected = [*[HOME] * TRIES_AT_HOME, GENERAL, HOME, GENERAL, HOME, GENERAL]
        self.assertEqual(self.urls(story, len(expected), dropped), expected)
        self.assertEqual(story.told(ForgetSession), [])
        self.assertEqual(story.told(AskPermit), [])

    def test_ac22_the_general_gateway_resumes(self) -> None:
        """A RESUME by the general gateway works like any other, and the own host counts anew after it."""
        story = story_at("active")
        story.tell(dropped)
        self.urls(story, TRIES_AT_HOME, dropped)
        self.assertEqual(only(Connect, story.wait()).url, GENERAL)
        self.assertIn(SendResume(), story.tell(hello))
        story.tell(resumed)
        story.tell(dropped)
        self.assertEqual(only(Connect, story.wait()).url, HOME)

    def test_a_resume_left_unanswered_everywhere_ends_in_identify(self) -> None:
        """Neither the own host nor the general gateway answers the RESUME: only then identify."""
        story = story_at("active")
        story.tell(dropped)
        self.urls(story, TRIES_AT_HOME, hello, dropped)
        self.assertEqual(story.told(ForgetSession), [])
        self.assertEqual(self.urls(story, 1, hello, dropped), [GENERAL])
        self.assertEqual(len(story.told(ForgetSession)), 1)
        self.assertEqual(deeds(story.wait()), [AskPermit])

    def test_a_replay_that_breaks_off_is_an_answer(self) -> None:
        """As long as Discord replays, the session is alive: a line that drops again and again costs no IDENTIFY."""
        story = story_at("active")
        story.tell(dropped)
        self.urls(story, 20, hello, replaying, dropped)
        self.assertEqual(story.told(ForgetSession), [])

    def test_a_broker_that_stalls_each_replay_costs_no_session(self) -> None:
        """A RESUME that we close because nobody takes the events is no failure of the session's."""
        story = story_at("active")
        story.tell(dropped)
        for _ in range(10):
            story.wait()
            story.tell(hello)
            story.tell(pause)
            story.wait()
            story.tell(unpause)
            story.tell(dropped)
        self.assertEqual(story.told(ForgetSession), [])


class TimeoutTests(SynchronousTestCase):
    """When Discord says nothing."""

    def test_ac23_no_hello(self) -> None:
        """A connection without HELLO is closed after a time, and tried again."""
        story = story_at("connecting")
        self.assertEqual(story.due, story.now + HELLO_TIMEOUT)
        self.assertEqual(only(Close, story.wait()).code, OwnClose.TIMEOUT)
        self.assertEqual(deeds(story.wait()), [Connect])

    def test_ac24_no_ready(self) -> None:
        """READY doesn't come: a resumable close, and back into the queue."""
        story = story_at("identifying")
        self.assertEqual(story.due, story.now + ANSWER_TIMEOUT)
        actions = story.wait()
        self.assertEqual(deeds(actions), [SettlePermit, Close])
        self.assertEqual(only(Close, actions).code, OwnClose.TIMEOUT)
        self.assertEqual(deeds(story.wait()), [AskPermit])

    def test_ac21_a_long_replay_is_no_timeout(self) -> None:
        """Events keep coming for an hour: no time-out, and not active before RESUMED."""
        story = story_at("resuming")
        for _ in range(360):
            story.now += 10
            story.tell(replaying)
            if story.due is not None and story.due <= story.now:
                self.assertEqual(deeds(story.wait()), [])
            self.assertEqual(story.life.state, "resuming")
        story.tell(resumed)
        self.assertEqual(story.life.state, "active")

    def test_a_replay_that_stalls_is_a_timeout(self) -> None:
        """Nothing more comes and no RESUMED: close, and RESUME anew."""
        story = story_at("resuming")
        story.now += ANSWER_TIMEOUT - 1
        story.tell(replaying)
        story.now += 1
        self.assertEqual(story.tell(timer_fired), [SetTimer(ANSWER_TIMEOUT - 1)])
        self.assertEqual(only(Close, story.wait()).code, OwnClose.TIMEOUT)


class BackoffTests(SynchronousTestCase):
    """How long between attempts."""

    def test_ac28_ready_then_dropped_again_and_again(self) -> None:
        """Connections that die young wait longer and longer."""
        story = story_at("active")
        delays = []
        for _ in range(9):
            story.now += 1
            delays.append(only(SetTimer, story.tell(closed(4007))).delay)
            story.wait()
            story.tell(permit_granted)
            story.tell(hello)
            story.tell(ready)
        self.assertEqual(delays[:2], [0.25, 0.25])
        self.assertEqual(delays[2:], [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0])

    def test_the_log_says_what_follows(self) -> None:
        """Each end of a connection is one line: why, and what is done about it when."""
        note = only(Note, story_at("active").tell(closed(4000)))
        self.assertEqual(note.sentence, "closed by Discord with 4000, unknown error; resuming in 0.2 s")
        note = only(Note, story_at("active").tell(dropped))
        self.assertEqual(note.sentence, "connection lost (Connection was refused); resuming in 0.2 s")
        note = only(Note, story_at("permitted").tell(dropped))
        self.assertEqual(note.sentence, "no connection (Connection was refused); identifying in 0.5 s")


class FatalTests(SynchronousTestCase):
    """Close codes that no retry mends."""

    def test_ac16_ac17_the_end(self) -> None:
        """4004 and 4010-4014 end it, each with its own remedy; the session is left as it is."""
        remedies = {
            4004: "DISCORD_TOKEN",
            4010: "SHARDS_MULTIPLE",
            4011: "TOTAL_SHARDS",
            4012: "newer rateway",
            4013: "INTENTS",
            4014: "developer portal",
        }
        for code, remedy in remedies.items():
            story = story_at("identifying")
            actions = story.tell(closed(code))
            self.assertEqual(deeds(actions), [SettlePermit, Fail])
            self.assertIn(remedy, str(only(Fail, actions).error))
            self.assertIn(str(code), str(only(Fail, actions).error))
            self.assertEqual(story.life.state, "stopped")

    def test_ac17_4014_names_the_privileged_intents(self) -> None:
        """The operator reads which of the intents asked for are the privileged ones."""
        intents = Intent.GUILDS | Intent.GUILD_MEMBERS | Intent.MESSAGE_CONTENT
        text = str(only(Fail, story_at("identifying", intents=int(intents)).tell(closed(4014))).error)
        self.assertIn("GUILD_MEMBERS, MESSAGE_CONTENT", text)
        self.assertNotIn("GUILDS", text)


class PauseTests(SynchronousTestCase):
    """When nobody takes the events."""

    def test_a_short_pause_keeps_the_connection(self) -> None:
        """Reading stops and goes on, nothing else."""
        story = story_at("active")
        story.tell(pause)
        self.assertEqual(story.tell(pause), [])
        self.assertEqual(deeds(story.tell(unpause)), [GoOnReading])
        self.assertIsNone(story.due)
        self.assertEqual(story.tell(unpause), [])

    def test_a_pause_gives_discord_its_time_anew(self) -> None:
        """READY or the replay can't be late while nobody reads: after the pause the whole time counts again."""
        for state in ("identifying", "resuming"):
            story = story_at(state)
            story.tell(pause)
            story.now += PAUSE_LIMIT - 1
            self.assertEqual(deeds(story.tell(unpause)), [GoOnReading])
            self.assertEqual(story.due, story.now + ANSWER_TIMEOUT)

    def test_a_long_pause_closes_and_resumes_when_there_is_room(self) -> None:
        """After a minute the connection is closed resumably; it comes back by RESUME, and only when there is room."""
        story = story_at("active")
        story.tell(pause)
        story.wait()
        self.assertEqual(story.life.state, "held")
        self.assertEqual(only(Connect, story.tell(unpause)).url, HOME)
        self.assertIn(SendResume(), story.tell(hello))

    def test_no_connection_is_made_meanwhile(self) -> None:
        """A wait that ends during the pause ends in holding still."""
        story = story_at("waiting")
        story.tell(pause)
        story.wait()
        self.assertEqual(story.life.state, "held")
        self.assertEqual(story.told(Connect), [])

    def test_a_permit_is_not_kept_waiting(self) -> None:
        """Who pauses before IDENTIFY leaves the permit to others, and asks again after."""
        for state, debt in (("queued", WithdrawPermit), ("permitted", GiveBackPermit), ("greeted", WithdrawPermit)):
            story = story_at(state)
            self.assertIn(debt, deeds(story.tell(pause)), state)
            self.assertEqual(deeds(story.tell(unpause)), [AskPermit], state)

    def test_resumed_during_a_pause_keeps_the_limit(self) -> None:
        """RESUMED may be in the read that filled the broker: the minute counts on."""
        story = story_at("resuming")
        story.tell(pause)
        story.tell(resumed)
        self.assertEqual(only(Close, story.wait()).code, OwnClose.PAUSED)

    def test_no_renewal_meanwhile(self) -> None:
        """A permit to begin anew is given back."""
        story = story_at("active")
        story.tell(pause)
        self.assertEqual(deeds(story.tell(renew)), [GiveBackPermit])
        self.assertEqual(story.life.state, "active")

    def test_a_pause_before_the_start(self) -> None:
        """Started while nobody takes events, a shard doesn't connect."""
        story = Story(session=True)
        story.tell(pause)
        self.assertEqual(deeds(story.tell(start)), [])
        self.assertEqual(story.life.state, "held")


HAPPENINGS: list[Happening] = [
    *(happening for happening in TABLE if happening not in (stop, stop_for_good)),
    *(closed(code) for code in (1001, 4003, 4006, 4012)),
]


class NeverTests(SynchronousTestCase):
    """What never happens, whatever Discord and the network do."""

    @settings(deadline=None, database=None, max_examples=400)
    @given(
        session=st.booleans(),
        chance=st.floats(0, 1),
        happenings=st.lists(
            st.tuples(st.sampled_from([*HAPPENINGS, stop, stop_for_good]), st.floats(0, 90)), max_size=60
        ),
    )
    def test_never(self, session: bool, chance: float, happenings: list[tuple[Happening, float]]) -> None:
        """No sequence of happenings raises, identifies without permit, ends a session by mistake, or hangs."""
        story, watch = Story(session, chance), Watch(session)
        for happening, pause_before in [(start, 0.0), *happenings]:
            story.now += pause_before
            if happening is timer_fired and story.due is None:
                continue
            if happening is permit_granted and not watch.asked:
                continue
            if happening is renew and not (watch.asked or story.life.state == "active"):
                continue
            watch.before(happening)
            for action in story.tell(happening):
                watch.see(action, happening, self)
            watch.after(story, self)

    @settings(deadline=None, database=None, max_examples=200)
    @given(happenings=st.lists(st.sampled_from(HAPPENINGS), max_size=40))
    def test_always_comes_back(self, happenings: list[Happening]) -> None:
        """However badly it went, once Discord answers again the shard becomes active again."""
        story = Story()
        for happening in [start, *happenings]:
            if story.life.state != "stopped" and not happening.__name__.startswith(("closed_4004", "closed_401")):
                story.tell(happening)
        story.tell(unpause)
        for _ in range(12):
            state = story.life.state
            if state == "active":
                break
            if state in ("queued", "greeted"):
                story.tell(permit_granted)
            elif state in ("permitted", "overdue", "connecting"):
                story.tell(hello)
            elif state == "identifying":
                story.tell(ready)
            elif state == "resuming":
                story.tell(resumed)
            else:
                story.wait()
        self.assertEqual(story.life.state, "active")


class Watch:
    """A second, simple-minded account of permit, connection and session."""

    def __init__(self, session: bool) -> None:
        self.session = session
        self.asked = self.granted = self.used = self.connected = self.paused = False
        self.timeouts = 0
        self.general = self.unanswered = self.replacing = False

    def before(self, happening: Happening) -> None:
        name = happening.__name__
        if happening in (permit_granted, renew):
            self.asked, self.granted = False, True
        if happening is permit_refused:
            self.asked = False
        if happening is dropped or name.startswith("closed_"):
            self.connected = False
        if happening is closed(4009):
            self.timeouts += 1
        if happening is replaying:
            self.unanswered = False
        if happening is pause:
            self.paused = True
        if happening is unpause:
            self.paused = False

    def see(self, action: Any, happening: Happening, test: SynchronousTestCase) -> None:
        match action:
            case AskPermit():
                test.assertFalse(self.asked or self.granted or self.used)
                self.asked = True
            case WithdrawPermit():
                test.assertTrue(self.asked or happening is permit_refused)
                self.asked = False
            case GiveBackPermit():
                test.assertTrue(self.granted)
                self.granted = False
            case SendIdentify():
                test.assertTrue(self.granted and self.connected and (self.replacing or not self.session))
                self.granted, self.used = False, True
            case SettlePermit():
                test.assertTrue(self.used)
                self.used = False
            case Connect(url):
                test.assertFalse(self.connected or self.paused)
                self.connected, self.general, self.unanswered = True, url == GENERAL, False
                self.replacing = happening is renew and self.session
            case SendResume():
                test.assertTrue(self.connected and self.session)
                self.unanswered = True
            case Close(code):
                test.assertTrue(self.connected)
                test.assertTrue(code not in (1000, 1001) or happening is stop_for_good)
                self.connected = False
            case ForgetSession():
                test.assertTrue(self.session)
                test.assertTrue(happening is stop_for_good or not self.replacing)
                by_code = happening in (closed(4003), closed(4006), closed(4007), op9_false, stop_for_good)
                exhausted = self.general and self.unanswered
                test.assertTrue(by_code or exhausted or (happening is closed(4009) and self.timeouts > 1))
                self.session, self.timeouts = False, 0

    def after(self, story: Story, test: SynchronousTestCase) -> None:
        state = story.life.state
        if state == "active":
            self.session, self.unanswered, self.timeouts, self.replacing = True, False, 0, False
        test.assertEqual(self.connected, state in CONNECTED, state)
        test.assertEqual(self.asked, state in ("queued", "greeted"), state)
        if state in ("waiting", "permitted", "overdue", "greeted", "connecting", "identifying", "resuming"):
            test.assertIsNotNone(story.due, f"{state} would last for ever")
