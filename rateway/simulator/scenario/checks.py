"""Whether the parts of a table fit together: what the types alone can't say."""

from __future__ import annotations

from collections.abc import Collection

from .conditions import check_where
from .facts import FIELDS, fields_of
from .format import Expect, Kind, On

_ABOUT_SEE = ("count", "at_least", "at_most", "within", "not_before", "apart", "rising", "varies", "regular")


def trigger(on: On) -> tuple[Kind | None, int]:
    """The kind of facts that a step waits for, and how many; no kind for ``active`` and ``sent``."""
    for kind in FIELDS:
        count = getattr(on, kind)
        if count is not None:
            return kind, count
    return None, 0


def check_on(on: On) -> None:
    """:raises ValueError: for an event that is none, or several."""
    given = [name for name in ("active", "sent", *FIELDS) if getattr(on, name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "nothing"
        raise ValueError(f"on must name one event, not {found}; the events are: active, sent, {', '.join(FIELDS)}")
    kind, _ = trigger(on)
    if kind is not None:
        check_where(on.where, fields_of(kind), kind)
    elif on.where:
        raise ValueError(f"where has no meaning with on = {{ {given[0]} = … }}")


def check_expect(expect: Expect, marks: Collection[str]) -> None:
    """:raises ValueError: for an expectation that isn't one, or whose parts contradict each other."""
    verbs = [verb for verb in ("see", "never", "always", "delivered") if getattr(expect, verb)]
    if len(verbs) != 1:
        found = " and ".join(verbs) or "none"
        raise ValueError(f"give one of see, never, always and delivered, not {found}")
    if expect.since and expect.since not in marks:
        known = f"the marks are: {', '.join(marks)}" if marks else "no step has a mark"
        raise ValueError(f"since = {expect.since!r} is no step's mark; {known}")
    if not expect.see:
        allowed = {"within"} if expect.delivered else set()
        for key in _ABOUT_SEE:
            if getattr(expect, key) not in (None, "") and key not in allowed:
                raise ValueError(f"{key} has no meaning with {verbs[0]}")
    if bool(expect.must) != bool(expect.always):
        raise ValueError("always and must go together")
    if expect.per and expect.apart is None:
        raise ValueError("per has no meaning without apart")
    if expect.count is not None and (expect.at_least is not None or expect.at_most is not None):
        raise ValueError("count says it all: leave at_least and at_most out")
    if expect.at_most is not None and expect.at_most < expect.least:
        if expect.at_least is not None or expect.at_most:
            raise ValueError("at_most is below at_least")
        raise ValueError("at_most = 0 is never: say so")
    kind = expect.kind
    if kind is None:
        if expect.where:
            raise ValueError("where has no meaning with delivered")
        return
    if expect.regular is not None and kind != "heartbeats":
        raise ValueError("regular is about heartbeats")
    fields = fields_of(kind)
    check_where(expect.where, fields, kind)
    check_where(expect.must, fields, kind)
    for key in ("per", "rising", "varies"):
        name = getattr(expect, key)
        if name and name not in fields:
            raise ValueError(f"{key}: {kind} have no field {name!r}, but: {', '.join(sorted(fields))}")
