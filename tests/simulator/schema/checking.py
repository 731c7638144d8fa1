"""Whether a payload is what Discord sends, and which keys it has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import msgspec

from .control import OTHERS, Dispatch
from .events import EVENTS, Shapes


class Unfitting(AssertionError):
    """The payload is none of Discord's; the text says where."""


@cache
def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)


def check(text: bytes, shapes: Iterable[Any], what: str) -> None:
    """One of the shapes fits.

    :raises Unfitting: with what is wrong by each of them.
    """
    troubles = []
    for shape in shapes:
        try:
            _decoder(shape).decode(text)
        except msgspec.ValidationError as error:
            troubles.append(f"{getattr(shape, '__name__', shape)}: {error}")
        else:
            return
    raise Unfitting(f"{what}: {'; '.join(troubles)}; it is {text[:2000]!r}")


def check_event(name: str, d: bytes) -> None:
    """``d`` fits the event.

    :raises Unfitting: also for a name that is none.
    """
    if name not in EVENTS:
        raise Unfitting(f"{name} is no event of the schema")
    shapes: Shapes = EVENTS[name]
    check(d, shapes, name)


def check_payload(text: bytes) -> None:
    """A whole payload of the gateway's: envelope and content."""
    op = msgspec.json.decode(text).get("op")
    if op == 0:
        check(text, (Dispatch,), "the envelope")
        dispatch: Dispatch = _decoder(Dispatch).decode(text)
        check_event(dispatch.t, bytes(dispatch.d))
    elif op in OTHERS:
        check(text, (OTHERS[op],), f"op {op}")
    else:
        raise Unfitting(f"a server sends no op {op!r}")


def key_paths(value: object, path: str = "") -> Iterator[str]:
    """Every key, as ``a.b[].c``; keys that are ids are one: ``*``."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{'*' if key.isdigit() else key}".removeprefix(".")
            yield here
            yield from key_paths(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from key_paths(inner, f"{path}[]")


def keys_of(text: bytes) -> set[str]:
    """The key paths of a JSON text."""
    return set(key_paths(json.loads(text)))
