"""The seams: where one layer meets another without knowing it. At most four methods each.

Implementers and their fakes are checked with ``verifyObject`` in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import Interface

from .errors import FatalError
from .model.dispatch import Dispatch
from .model.session import Session


class IDispatchSink(Interface):
    """Takes what a shard receives: the cluster's pipeline."""

    def take(shard_id: int, session: Session, dispatches: Sequence[Dispatch]) -> None:
        """Events of one read, in Discord's order; ``session`` bears the sequence after the last of them.

        READY and RESUMED come too, each as part of the session it starts or continues.
        Must not raise: what can't be cached is published all the same.
        """

    def forget_session(shard_id: int) -> None:
        """Discord ended the shard's session: it is never resumed again."""


class IIdentifyGate(Interface):
    """Says who may identify, for the whole fleet (``max_concurrency``, 5 s, the daily allowance)."""

    def acquire(shard_id: int) -> Deferred[None]:
        """Fires when the shard may connect and identify; cancelling it leaves the queue."""

    def used(shard_id: int) -> None:
        """IDENTIFY was written now."""

    def settled(shard_id: int) -> None:
        """READY, op 9, a close or a timeout answered the IDENTIFY: the key is free once its 5 s are over."""

    def give_back(shard_id: int) -> None:
        """The permit was not used."""


class IFatalReporter(Interface):
    """Where an end that no retry mends is told."""

    def report_fatal(error: FatalError) -> None:
        """Stop everything, say why, exit with a code that isn't zero."""
