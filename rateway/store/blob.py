"""Work on JSON as bytes: what isn't needed is never decoded, and what was Discord's spelling stays so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

import msgspec
from msgspec import Raw, Struct

Fields: TypeAlias = dict[str, Raw]
"""An object's fields, each value as its bytes."""

T = TypeVar("T")

TRUE = Raw(b"true")
FALSE = Raw(b"false")
NULL = Raw(b"null")


def decoder(kind: type[T]) -> Callable[[bytes | Raw], T]:
    """A function that decodes one shape. Ids in it are ``int``: strings of digits are taken as numbers."""
    return msgspec.json.Decoder(kind, strict=False).decode


fields: Callable[[bytes | Raw], Fields] = msgspec.json.Decoder(Fields).decode
"""The top level of an object.

:raises msgspec.MsgspecError: if it is none.
"""

items: Callable[[bytes | Raw], list[Raw]] = msgspec.json.Decoder(list[Raw]).decode
"""The items of an array."""

_encoder = msgspec.json.Encoder()
encode: Callable[[object], bytes] = _encoder.encode
"""JSON of fields, or of plain values."""

to_int: Callable[[bytes | Raw], int] = decoder(int)
"""A number, or an id."""

to_array: Callable[[list[Raw]], bytes] = _encoder.encode


class _Id(Struct, gc=False):
    id: int


class _User(Struct, gc=False):
    user: Raw


class _UserId(Struct, gc=False):
    user: _Id


id_of: Callable[[bytes | Raw], _Id] = decoder(_Id)
"""The ``id`` of an object."""

user_of: Callable[[bytes | Raw], _User] = decoder(_User)
"""The ``user`` of a member, as bytes."""


def raw_id(value: int) -> Raw:
    """An id as Discord writes it."""
    return Raw(b'"%d"' % value)


def is_object(value: bytes | Raw) -> bool:
    """Whether there is an object here, and not ``null``, nothing, or something else."""
    return bytes(value)[:1] == b"{"


def merge(old: bytes, new: Fields) -> bytes:
    """The object with the new fields over its own; fields the new has not keep their value."""
    return encode(fields(old) | new)


def without_user(member: bytes, user: bytes) -> bytes:
    """The member less its ``user``."""
    return without(member, b'"user":', user)


def without(data: bytes, key: bytes, value: bytes) -> bytes:
    """The object less one of its fields, without decoding it where that can be avoided.

    The key is looked for as bytes. A quote inside of a JSON string is escaped, so that what is found is a key; it is
    the object's own if no other object began before it.

    :param key: in its quotes, with the colon.
    :param value: as it stands there.
    """
    start = data.find(key)
    middle = start + len(key)
    end = middle + len(value)
    if start > 0 and data.startswith(value, middle) and data.count(b"{", 0, start) == 1:
        if data[end : end + 1] == b",":
            return data[:start] + data[end + 1 :]
        if data[start - 1 : start] == b",":
            return data[: start - 1] + data[end:]
    rest = fields(data)
    del rest[key[1:-2].decode()]
    return encode(rest)
