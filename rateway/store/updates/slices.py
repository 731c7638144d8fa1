"""Updates that may take long: computed in slices, between which others have their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from attrs import frozen

from rateway.store.view import Changes, View

T = TypeVar("T")

SLICE = 256
"""Things done between two pauses: about a millisecond's work."""


@frozen
class Sliced:
    """An update like any other when it is called; or its changes are gathered slice by slice.

    :ivar steps: the bytes of ``d``, what is seen, and where the changes go → yields where it may pause.
    """

    steps: Callable[[bytes, View, Changes], Iterator[None]]

    def __call__(self, d: bytes, view: View) -> Changes:
        out: Changes = {}
        for _ in self.steps(d, view, out):
            pass
        return out


def pausing(things: Iterable[T], do: Callable[[T], object]) -> Iterator[None]:
    """Do it with each of the things; pauses after each slice of them."""
    for number, thing in enumerate(things, start=1):
        do(thing)
        if not number % SLICE:
            yield
