"""What a shard does on the way from one state of its life to the next.

Each function is an output of the machine in :mod:`~rateway.gateway.transitions`: it takes what all states share, the
time and the input's own words, and returns what the shell shall do.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define

from rateway.errors import FatalError
from rateway.model.closecodes import CloseReason, OwnClose, Verdict
from rateway.model.intents import PRIVILEGED, names_of

from .actions import (
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
from .backoff import Backoff
from .session import SessionKeeper

HELLO_TIMEOUT = 20.0
"""Seconds from the start of a connection, TCP, TLS and upgrade included, to HELLO."""
PERMIT_AGE = 2.0
"""Seconds a permit may wait for HELLO: other shards wait for it."""
GREETED_TIMEOUT = 60.0
"""Seconds a connection is held open while the permit for its IDENTIFY doesn't come."""
ANSWER_TIMEOUT = 20.0
"""Seconds without READY, or in a replay without an event."""
PAUSE_LIMIT = 60.0
"""Seconds without reading, after which the connection is closed: no ACK can be seen, and Discord's patience ends."""
INVALID_WAIT = (1.0, 5.0)
"""Seconds, at random between these, to wait after op 9."""
TOO_MUCH_WAIT = 5.0
"""Seconds more to wait after close 4008."""


_AWAITED = {"connecting": "HELLO", "overdue": "HELLO", "identifying": "READY", "resuming": "RESUMED"}
_AWAITING_HELLO = frozenset({"permitted", "overdue", "connecting"})
_BEGINNING = frozenset({"permitted", "overdue", "greeted", "identifying"})


@define
class Core:
    """What all states share.

    :ivar state: the state's name, for status.
    :ivar permit: what became of the permit; answers what to do with it when the connection ends.
    :ivar since: when the permit was granted, or when IDENTIFY, RESUME or a dispatch went by.
    """

    shard_id: int
    intents: int
    session: SessionKeeper
    backoff: Backoff
    random: Callable[[], float]
    state: str = "idle"
    permit: Action | None = None
    since: float = 0.0
    paused: bool = False

    def leave(self) -> Actions:
        """What is owed to the gate."""
        owed, self.permit = self.permit, None
        return [] if owed is None else [owed]

    def ended(self, verdict: Verdict) -> Actions:
        """The connection is over: what that means for the session."""
        if self.state in _BEGINNING:
            # It was for a session that was to begin; one that was to be replaced is still there.
            verdict = Verdict.RESUME
        return self.forget() if self.session.ended(verdict) else []

    def forget(self) -> Actions:
        """The session is lost."""
        if self.session.resume_url is None:
            return []
        self.session.forget()
        return [ForgetSession()]

    def wait(self, now: float, what: str, *, least: float = 0.0, our_fault: bool = False) -> Actions:
        """Come back after the backoff, or after ``least`` seconds if that is longer."""
        delay = max(self.backoff.delay(now, self.random()), least)
        follows = "identifying" if self.session.resume_url is None else "resuming"
        return [SetTimer(delay), Note(f"{what}; {follows} in {delay:.1f} s", our_fault)]

    def op9_wait(self) -> float:
        """Discord wants a random wait after op 9."""
        least, most = INVALID_WAIT
        return least + (most - least) * self.random()

    def answer_timer(self, now: float) -> Action:
        """Give Discord time to answer, or to go on."""
        self.since = now
        return SetTimer(PAUSE_LIMIT if self.paused else ANSWER_TIMEOUT)


def nothing(core: Core, now: float, *details: object) -> Actions:
    return []


def cancel(core: Core, now: float) -> Actions:
    return [CancelTimer()]


def connect(core: Core, now: float) -> Actions:
    url = core.session.url()
    return [Note(f"connecting to {url} to resume"), Connect(url), SetTimer(HELLO_TIMEOUT)]


def ask(core: Core, now: float) -> Actions:
    core.permit = WithdrawPermit()
    return [CancelTimer(), AskPermit()]


def connect_permitted(core: Core, now: float) -> Actions:
    core.permit, core.since = GiveBackPermit(), now
    url = core.session.url(anew=True)
    return [Note(f"connecting to {url} to identify"), Connect(url), SetTimer(PERMIT_AGE)]


def renew(core: Core, now: float) -> Actions:
    why = Note("the session goes on, but not the cache that belonged to it: beginning a new one, to fill it")
    return [why, Close(OwnClose.RECONNECT), CancelTimer(), *connect_permitted(core, now)]


def lapse(core: Core, now: float) -> Actions:
    return [*core.leave(), SetTimer(HELLO_TIMEOUT - PERMIT_AGE)]


def greet(core: Core, now: float, interval: float) -> Actions:
    core.permit = WithdrawPermit()
    return [BeginHeartbeat(interval), AskPermit(), SetTimer(GREETED_TIMEOUT)]


def identify(core: Core, now: float, interval: float | None = None) -> Actions:
    core.permit = SettlePermit()
    begin: Actions = [] if interval is None else [BeginHeartbeat(interval)]
    return [*begin, SendIdentify(), core.answer_timer(now)]


def resume(core: Core, now: float, interval: float) -> Actions:
    core.session.asked()
    return [BeginHeartbeat(interval), SendResume(), core.answer_timer(now)]


def ready(core: Core, now: float, resume_url: str) -> Actions:
    lost = core.session.lost or core.session.resume_url is not None
    core.session.began(resume_url)
    missing = "; what Discord sent between the last one and it is missing" if lost else ""
    return [*core.leave(), *activate(core, now), Note(f"ready: a new session began{missing}", loss=lost)]


def resumed(core: Core, now: float) -> Actions:
    core.session.continued()
    return [*activate(core, now), Note("resumed")]


def activate(core: Core, now: float) -> Actions:
    core.backoff.connected(now)
    return [SetTimer(PAUSE_LIMIT) if core.paused else CancelTimer()]


def beat(core: Core, now: float) -> Actions:
    return [SendHeartbeat()]


def reconnect(core: Core, now: float) -> Actions:
    forget = core.ended(Verdict.RESUME)
    return [
        *core.leave(),
        Close(OwnClose.RECONNECT),
        *forget,
        *core.wait(now, "Discord asked to reconnect (op 7)"),
    ]


def dismiss(core: Core, now: float) -> Actions:
    forget = core.ended(Verdict.RESUME)
    what = "Discord refused for now (op 9)"
    return [*core.leave(), Close(OwnClose.RECONNECT), *forget, *core.wait(now, what, least=core.op9_wait())]


def invalidate(core: Core, now: float) -> Actions:
    forget = core.ended(Verdict.IDENTIFY)
    what = "Discord ended the session (op 9)" if forget else "Discord refused the IDENTIFY (op 9)"
    return [*core.leave(), Close(OwnClose.RECONNECT), *forget, *core.wait(now, what, least=core.op9_wait())]


def lose(core: Core, now: float, reason: CloseReason, detail: str) -> Actions:
    forget = core.ended(reason.verdict)
    least = TOO_MUCH_WAIT if reason.verdict is Verdict.RESUME_LATER else 0.0
    by_code = reason.code is not None and reason.code != 1006
    meaning = "no connection" if core.state in _AWAITING_HELLO else reason.meaning
    what = f"closed by Discord with {reason.code}, {reason.meaning}" if by_code else meaning
    what = f"{what} ({detail})" if detail else what
    return [*core.leave(), *forget, *core.wait(now, what, least=least, our_fault=reason.our_bug)]


def refuse(core: Core, now: float, why: str) -> Actions:
    core.permit = None
    return core.wait(now, f"no permit to identify: {why}")


def refuse_greeted(core: Core, now: float, why: str) -> Actions:
    return [Close(OwnClose.RECONNECT), *refuse(core, now, why)]


def break_off(core: Core, now: float, code: OwnClose, why: str) -> Actions:
    forget = core.ended(Verdict.RESUME)
    return [*core.leave(), Close(code), *forget, *core.wait(now, why)]


def expire(core: Core, now: float) -> Actions:
    return break_off(core, now, OwnClose.TIMEOUT, f"no {_AWAITED[core.state]} came in time")


def requeue(core: Core, now: float) -> Actions:
    return [Close(OwnClose.TIMEOUT), CancelTimer(), Note("no permit to identify came; waiting for it unconnected")]


def hold(core: Core, now: float) -> Actions:
    return [*core.leave(), CancelTimer()]


def hold_closing(core: Core, now: float) -> Actions:
    note = Note("nobody takes events: closed, to resume once there is room")
    return [*core.leave(), Close(OwnClose.PAUSED), CancelTimer(), note]


def pause(core: Core, now: float) -> Actions:
    return [StopReading(), SetTimer(PAUSE_LIMIT)]


def go_on(core: Core, now: float) -> Actions:
    return [GoOnReading(), CancelTimer()]


def go_on_answering(core: Core, now: float) -> Actions:
    return [GoOnReading(), core.answer_timer(now)]


def doom(core: Core, now: float, reason: CloseReason) -> Actions:
    remedy = reason.remedy
    asked = names_of(core.intents & PRIVILEGED)
    if reason.code == 4014 and asked:
        remedy += f" (privileged intents asked for: {', '.join(asked)})"
    sentence = f"Discord closed shard {core.shard_id} with {reason.code}, {reason.meaning}: {remedy}"
    return [*core.leave(), CancelTimer(), Fail(FatalError(sentence))]


def stop(core: Core, now: float, final: bool) -> Actions:
    forget = core.forget() if final else []
    return [*core.leave(), CancelTimer(), *forget]


def stop_closing(core: Core, now: float, final: bool) -> Actions:
    return [Close(OwnClose.FINAL if final else OwnClose.STOPPING), *stop(core, now, final)]


def give_back(core: Core, now: float) -> Actions:
    return [GiveBackPermit()]
