"""Which facts are meant: ``where = { answer = "resumed", behind = 0 }``.

A condition on a field is

* a value, which the field must be equal to;
* a list of values, one of which it must be;
* a table: ``not`` (a value or a list of those it must not be), ``least`` and ``most`` (a number's bounds), ``matches``
  (a regular expression for the whole of a text).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from .format import Where

_KEYS = ("not", "least", "most", "matches")


def check_where(where: Where, fields: Collection[str], what: str) -> None:
    """See that conditions can be met at all.

    :param what: the facts' kind, for the error.
    :raises ValueError: for a field there isn't, or a condition that can't be understood.
    """
    for name, wanted in where.items():
        if name not in fields:
            raise ValueError(f"{what} have no field {name!r}, but: {', '.join(sorted(fields))}")
        if not isinstance(wanted, Mapping):
            continue
        unknown = set(wanted) - set(_KEYS)
        if unknown or not wanted:
            raise ValueError(f"a condition on {name!r} consists of {', '.join(_KEYS)}, not of {sorted(unknown)}")
        for bound in ("least", "most"):
            if bound in wanted and (isinstance(wanted[bound], bool) or not isinstance(wanted[bound], int | float)):
                raise ValueError(f"{bound} of {name!r} must be a number")
        if "matches" in wanted:
            try:
                re.compile(wanted["matches"])
            except (re.error, TypeError) as error:
                raise ValueError(f"matches of {name!r} is no regular expression: {error}") from None


def meets(fact: Mapping[str, Any], where: Where) -> bool:
    """Whether a fact meets all conditions."""
    return all(_meets(fact.get(name), wanted) for name, wanted in where.items())


def _meets(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return _within(value, wanted)
    if isinstance(wanted, list | tuple):
        return any(_equal(value, each) for each in wanted)
    return _equal(value, wanted)


def _equal(value: Any, wanted: Any) -> bool:
    # 1 is not true: a field is a number or a yes, never both.
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _within(value: Any, wanted: Mapping[str, Any]) -> bool:
    if "not" in wanted and _meets(value, wanted["not"]):
        return False
    if "matches" in wanted and (not isinstance(value, str) or re.fullmatch(wanted["matches"], value) is None):
        return False
    for bound, sign in (("least", 1), ("most", -1)):
        if bound in wanted and (not isinstance(value, int | float) or sign * (value - wanted[bound]) < 0):
            return False
    return True
