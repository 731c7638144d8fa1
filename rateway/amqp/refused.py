"""Events that the broker refused (basic.nack): they wait in a spool of their own, and are tried again in batches.

The usual cause is a queue that is full and rejects what is published to it. So the others flow on meanwhile, and
order is not promised for what was refused. Being on disk, these events hold up no session's cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from rateway.spool.record import SpooledEvent
from rateway.spool.spool import Spool

FIRST_RETRY, LONGEST_RETRY = 1.0, 60.0
"""Seconds until the next batch: doubling from the first to the longest while events are refused again."""

SAY_EVERY = 60.0
"""Seconds between log lines about refused events."""

_BATCH = 256 * 1024


@define(eq=False)
class Refused:
    """The refused events of one cluster.

    :ivar in_flight: how many of the present batch are not settled.
    """

    _log = Logger()

    _clock: Any
    _exchange: str
    _spool: Spool
    _send: Callable[[Sequence[tuple[int, SpooledEvent]]], None]
    """Takes a batch: index in the spool, event."""
    in_flight: int = field(default=0, init=False)
    _batch_end: int = field(default=0, init=False)
    _again: bool = field(default=False, init=False)
    _delay: float = field(default=0.0, init=False)
    _call: IDelayedCall | None = field(default=None, init=False)
    _said: float | None = field(default=None, init=False)
    _unsaid: int = field(default=0, init=False)

    @property
    def on_disk(self) -> int:
        """Events that are here, those of the present batch not counted."""
        return self._spool.unread

    def put(self, events: Sequence[SpooledEvent], *, again: bool) -> None:
        """They were refused.

        :param again: they are of the present batch.
        :raises SpoolFull: if they can't be written down: they are still the caller's, and of the batch.
        """
        self._spool.append(events)
        self._unsaid += len(events)
        self._say()
        if again:
            self._again = True
            self.settled(len(events))
        self._schedule()

    def settled(self, count: int) -> None:
        """So many of the present batch are with the broker, have expired, or are written down anew."""
        self.in_flight -= count
        if self.in_flight:
            return
        self._let_go()
        self._delay = self._longer() if self._again else 0.0
        again, self._again = self._again, False
        self._schedule(self._delay if again else 0.0)

    def _let_go(self) -> None:
        """The batch is where it belongs: what was refused again is so once the disk itself has its new copy."""
        try:
            if self._again:
                self._spool.sync()
        except OSError as error:
            self._log.debug("the disk fails, and the batch is kept twice: {error}", error=error.strerror)
        else:
            self._spool.confirm(self._batch_end)

    def start(self) -> None:
        """Try what an earlier process left."""
        self._schedule()

    def stop(self) -> None:
        """No more tries."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _longer(self) -> float:
        return min(max(self._delay * 2.0, FIRST_RETRY), LONGEST_RETRY)

    def _schedule(self, delay: float | None = None) -> None:
        if self._spool.unread and not self.in_flight and self._call is None:
            self._call = self._clock.callLater(self._delay or FIRST_RETRY if delay is None else delay, self._try)

    def _try(self) -> None:
        self._call = None
        batch = self._spool.read(_BATCH)
        if batch:
            self._batch_end = batch[-1][0]
            self.in_flight = len(batch)
            self._send(batch)
        else:
            self._schedule()

    def _say(self) -> None:
        now = self._clock.seconds()
        if self._said is None or now - self._said >= SAY_EVERY:
            self._said = now
            self._log.warn(
                "the broker refused {count} events for {exchange} (basic.nack); they wait on disk and are tried "
                "again, out of order: most likely a queue bound to it is full and has the overflow policy "
                "reject-publish",
                count=self._unsaid,
                exchange=self._exchange,
            )
            self._unsaid = 0
