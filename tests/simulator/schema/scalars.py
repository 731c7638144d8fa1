"""Small values: ids, times, and keys that may be absent."""

from __future__ import annotations

from typing import Annotated, TypeAlias, TypeVar

from msgspec import Meta, Struct, UnsetType

T = TypeVar("T")

Snowflake: TypeAlias = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,19}$")]
"""An id: decimal digits in a string, of an unsigned 64-bit number."""

SmallId: TypeAlias = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,19}$")] | int
"""An id that may be a number: of a default sound, or one that was malformed in the request."""

Bitset: TypeAlias = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]*)$")]
"""Permissions: a number in a string."""

Time: TypeAlias = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3,6})?(\+00:00|Z)$")]
"""ISO 8601, in UTC."""

Hash: TypeAlias = Annotated[str, Meta(pattern=r"^(a_)?[0-9a-f]{32}$")]
"""Of an image."""

Seconds: TypeAlias = Annotated[int, Meta(ge=1_000_000_000, le=9_999_999_999)]
"""Since 1970."""

Milliseconds: TypeAlias = Annotated[int, Meta(ge=1_000_000_000_000, le=9_999_999_999_999)]
"""Since 1970."""

Count: TypeAlias = Annotated[int, Meta(ge=0)]

Maybe: TypeAlias = T | UnsetType
"""The key may be absent."""


class Object(Struct, kw_only=True, forbid_unknown_fields=True):
    """An object without unknown keys; a field without a default must be there.

    ``kw_only`` is not inherited: each class says it for its own fields.
    """
