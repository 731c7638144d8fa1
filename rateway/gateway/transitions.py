"""The table of a shard's life: every state, every input, what is entered and what is done.

What isn't in the table changes nothing. The outputs are in :mod:`~rateway.gateway.conduct`, the theory is in
:mod:`~rateway.gateway.lifecycle`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeAlias

from automat import TypeMachineBuilder

from rateway.model.closecodes import CloseReason, OwnClose

from . import conduct as do
from .actions import Actions
from .conduct import Core


class Inputs(Protocol):
    """What happens to a shard."""

    def resume_due(self, now: float) -> Actions:
        """The wait is over, and there is a session."""

    def identify_due(self, now: float) -> Actions:
        """The wait is over, and there is none."""

    def hold_due(self, now: float) -> Actions:
        """The wait is over, but nobody takes events."""

    def granted(self, now: float) -> Actions:
        """The gate gives the permit to identify."""

    def renewed(self, now: float) -> Actions:
        """The gate gives a permit to begin a new session instead of the one that runs."""

    def refused(self, now: float, why: str) -> Actions:
        """The gate can't give one."""

    def hello(self, now: float, interval: float) -> Actions:
        """Op 10."""

    def ready(self, now: float, resume_url: str) -> Actions:
        """READY: a session began."""

    def resumed(self, now: float) -> Actions:
        """RESUMED: the replay is complete."""

    def heartbeat_asked(self, now: float) -> Actions:
        """Op 1."""

    def reconnect_asked(self, now: float) -> Actions:
        """Op 7."""

    def dismissed(self, now: float) -> Actions:
        """Op 9, true: not now, but the session is kept."""

    def invalidated(self, now: float) -> Actions:
        """Op 9, false: the session, or the IDENTIFY, is refused."""

    def lost(self, now: float, reason: CloseReason, detail: str) -> Actions:
        """The connection is closed, or could not be made."""

    def doomed(self, now: float, reason: CloseReason) -> Actions:
        """Closed with a code that no retry mends."""

    def broken(self, now: float, code: OwnClose, why: str) -> Actions:
        """We have to close the connection ourselves."""

    def expired(self, now: float) -> Actions:
        """The timer fired."""

    def overpaused(self, now: float) -> Actions:
        """Nothing has been read for too long."""

    def paused(self, now: float) -> Actions:
        """Nobody takes events for now."""

    def unpaused(self, now: float) -> Actions:
        """Events are taken again."""

    def stop(self, now: float, final: bool) -> Actions:
        """The end; the session is kept unless it is final."""


_Output: TypeAlias = Callable[..., Actions]
_builder = TypeMachineBuilder(Inputs, Core)

idle = _builder.state("idle")  # not started
queued = _builder.state("queued")  # no session, no connection: in the queue of those who want to identify
permitted = _builder.state("permitted")  # with a permit, HELLO awaited
overdue = _builder.state("overdue")  # HELLO awaited, the permit is given back
greeted = _builder.state("greeted")  # HELLO is there, the permit awaited again
connecting = _builder.state("connecting")  # with a session, HELLO awaited
identifying = _builder.state("identifying")  # READY awaited
resuming = _builder.state("resuming")  # RESUMED awaited, events replayed
active = _builder.state("active")  # all is well
waiting = _builder.state("waiting")  # no connection, until the timer fires
held = _builder.state("held")  # no connection, until somebody takes events
stopped = _builder.state("stopped")  # the end

_State: TypeAlias = Any
_UNASKED = (permitted, overdue, greeted, connecting)
_ASKED = (identifying, resuming, active)
_CONNECTED = (*_UNASKED, *_ASKED)
_EVERY = (idle, queued, *_CONNECTED, waiting, held, stopped)

_TABLE: tuple[tuple[tuple[_State, ...], _Output, _State | None, _Output], ...] = (
    # in these states        upon                    enters       (None: stays) and does
    ((idle, waiting, held), Inputs.resume_due, connecting, do.connect),
    ((idle, waiting, held), Inputs.identify_due, queued, do.ask),
    ((idle, waiting), Inputs.hold_due, held, do.cancel),
    ((queued,), Inputs.granted, permitted, do.connect_permitted),
    ((greeted,), Inputs.granted, identifying, do.identify),
    ((idle, overdue, connecting, *_ASKED, waiting, held, stopped), Inputs.granted, None, do.give_back),
    ((active,), Inputs.renewed, permitted, do.renew),
    ((queued,), Inputs.refused, waiting, do.refuse),
    ((greeted,), Inputs.refused, waiting, do.refuse_greeted),
    ((permitted,), Inputs.hello, identifying, do.identify),
    ((overdue,), Inputs.hello, greeted, do.greet),
    ((connecting,), Inputs.hello, resuming, do.resume),
    (_ASKED, Inputs.ready, active, do.ready),
    ((resuming,), Inputs.resumed, active, do.resumed),
    ((greeted, *_ASKED), Inputs.heartbeat_asked, None, do.beat),
    (_CONNECTED, Inputs.reconnect_asked, waiting, do.reconnect),
    (_CONNECTED, Inputs.dismissed, waiting, do.dismiss),
    (_UNASKED, Inputs.invalidated, waiting, do.dismiss),  # nothing was asked yet: it can't mean the session
    (_ASKED, Inputs.invalidated, waiting, do.invalidate),
    (_CONNECTED, Inputs.lost, waiting, do.lose),
    (_CONNECTED, Inputs.doomed, stopped, do.doom),
    (_CONNECTED, Inputs.broken, waiting, do.break_off),
    ((permitted,), Inputs.expired, overdue, do.lapse),
    ((greeted,), Inputs.expired, queued, do.requeue),
    ((overdue, connecting, identifying, resuming), Inputs.expired, waiting, do.expire),
    ((queued,), Inputs.paused, held, do.hold),
    (_UNASKED, Inputs.paused, held, do.hold_closing),
    (_ASKED, Inputs.paused, None, do.pause),
    (_ASKED, Inputs.overpaused, held, do.hold_closing),
    ((identifying, resuming), Inputs.unpaused, None, do.go_on_answering),
    ((active,), Inputs.unpaused, None, do.go_on),
    (_CONNECTED, Inputs.stop, stopped, do.stop_closing),
    ((idle, queued, waiting, held), Inputs.stop, stopped, do.stop),
)

_INPUTS: tuple[_Output, ...] = tuple(value for name, value in vars(Inputs).items() if name[0] != "_")


def _step(output: _Output, entered: str) -> _Output:
    """An output that also writes down the state it leads to."""

    @wraps(output)
    def step(machine: Inputs, core: Core, now: float, *details: object) -> Actions:
        actions = output(core, now, *details)
        core.state = entered
        return actions

    return step


def _build() -> Callable[[Core], Inputs]:
    """The machine's factory; a table that names a pair twice, or a pair that isn't there, fails here."""
    missing = {(state.name, happening.__name__): (state, happening) for state in _EVERY for happening in _INPUTS}
    for states, happening, entered, output in _TABLE:
        for state in states:
            del missing[state.name, happening.__name__]
            target = entered or state
            state.upon(happening).to(target)(_step(output, target.name))
    for state, happening in missing.values():
        state.upon(happening).to(state)(_step(do.nothing, state.name))
    return _builder.build()


new_machine = _build()
"""Makes a shard's machine, given what its states share."""
