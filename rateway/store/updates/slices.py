"""Updates that may take long: computed in slices, between which others have their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeAlias, TypeVar

from attrs import frozen

from rateway.store.kinds import Kept
from rateway.store.view import Changes, View

T = TypeVar("T")

SLICE = 256
"""Things done between two pauses: about a millisecond's work."""

Steps: TypeAlias = Iterator[bool]
"""Where an update may pause: :data:`PAUSE` or :data:`PART`."""

PAUSE = False
"""Others may have their turn. The changes stay together: what is yet to be read of the event may be unreadable."""

PART = True
"""Besides, what is gathered may be carried out and forgotten: the event is read, and what follows looks up anew."""


Glance: TypeAlias = Callable[[bytes, Kept], bool]
"""The bytes of ``d``, and what is kept → whether pauses may be needed. To be wrong costs time only."""


@frozen
class Sliced:
    """An update like any other when it is called; or its changes are gathered slice by slice.

    :ivar steps: the bytes of ``d``, what is seen, and where the changes go → yields where it may pause.
    :ivar may_be_long: whether pauses may be needed.
    """

    steps: Callable[[bytes, View, Changes], Steps]
    may_be_long: Glance = lambda d, kept: True

    def __call__(self, d: bytes, view: View) -> Changes:
        out: Changes = {}
        for _ in self.steps(d, view, out):
            pass
        return out


def pausing(things: Iterable[T], do: Callable[[T], object]) -> Steps:
    """Do it with each of the things; pauses after each slice of them."""
    for number, thing in enumerate(things, start=1):
        do(thing)
        if not number % SLICE:
            yield PAUSE


def sweeping(view: View, prefix: bytes, do: Callable[[bytes], object]) -> Steps:
    """Do it with each of the keys that begin so; after each slice of them a part ends, and they may be gone."""
    start = prefix
    while some := list(islice(view.keys(prefix, start), SLICE)):
        for key in some:
            do(key)
        yield PART
        if len(some) < SLICE:
            return
        start = some[-1] + b"\0"
