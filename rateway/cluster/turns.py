"""Long work in turns of the reactor, for all clusters of a process: some milliseconds of every other one.

The turn between is all the others': who asks for something short while a piece is done is answered in it, and the
answer is on its way before the next piece, for a transport writes in the turn after the one it was handed something in.

A few pieces of work are under way side by side, so that a short one needn't wait for the end of a long one; the others
wait for their place, for each that is under way holds what it has gathered. What is known to be short, if not so short
that it could be done at once, comes before all of these.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from rateway.errors import RequestRefused

T = TypeVar("T")

SLICE = 0.002
"""Seconds of every other turn of the reactor."""
SIDE_BY_SIDE = 4
WAITING = 1_000
"""Pieces of work that wait at most."""


@define(eq=False)
class Turns:
    """Work under way, and work that waits."""

    _clock: IReactorTime
    _timer: Callable[[], float] = time.perf_counter
    _under_way: deque[tuple[Generator[None, None, Any], Deferred[Any]]] = field(factory=deque, init=False)
    _waiting: deque[tuple[Generator[None, None, Any], Deferred[Any]]] = field(factory=deque, init=False)
    _short: deque[tuple[Generator[None, None, Any], Deferred[Any]]] = field(factory=deque, init=False)
    _next: IDelayedCall | None = field(default=None, init=False)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self._under_way or self._short)

    def add(self, work: Generator[None, None, T], *, is_short: bool = False) -> Deferred[T]:
        """Do the work, step by step; fires with what it returns, or fails with what it raises.

        :raises RequestRefused: if too much waits already.
        """
        waiting = self._short if is_short else self._waiting
        if len(waiting) >= WAITING:
            raise RequestRefused(f"{WAITING} questions as long wait for their turn already: ask again later")
        done: Deferred[T] = Deferred()
        may_begin = not is_short and len(self._under_way) < SIDE_BY_SIDE
        (self._under_way if may_begin else waiting).append((work, done))
        if self._next is None:
            self._next = self._clock.callLater(0, self._turn)
        return done

    def stop(self) -> None:
        """Do no more of anything; who waits is not told, for nobody is left to tell them."""
        self._short.clear()
        self._under_way.clear()
        self._waiting.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _turn(self) -> None:
        self._next = None
        until = self._timer() + SLICE
        while not self.is_idle:
            self._step()
            if self._timer() >= until:
                break
        if not self.is_idle and self._next is None:
            self._next = self._clock.callLater(0, self._make_way)

    def _make_way(self) -> None:
        self._next = self._clock.callLater(0, self._turn)

    def _step(self) -> None:
        """One step of one piece of work, which then goes to the end of the row, or stays the first if it is short."""
        is_short = bool(self._short)
        work, done = (self._short or self._under_way).popleft()
        try:
            next(work)
        except StopIteration as end:
            self._admit()
            done.callback(end.value)
        except Exception:
            failure = Failure()
            self._admit()
            done.errback(failure)
        else:
            if is_short:
                self._short.appendleft((work, done))
            else:
                self._under_way.append((work, done))

    def _admit(self) -> None:
        if self._waiting and len(self._under_way) < SIDE_BY_SIDE:
            self._under_way.append(self._waiting.popleft())
