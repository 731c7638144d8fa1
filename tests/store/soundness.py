"""What holds among a store's rows, whatever happened: nothing points nowhere, hangs on nothing, or is miscounted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from rateway.store import derived, keys
from rateway.store.keys import CHANNELS, TABLES, THREADS


def faults(rows: Mapping[bytes, bytes]) -> list[str]:
    """What is wrong, in words; nothing if all is well."""
    return [*_pointers(rows), *_hanging(rows), *_people(rows), *_counts(rows)]


def _of(rows: Mapping[bytes, bytes], kind: bytes) -> list[bytes]:
    return [key for key in rows if key[:1] == kind]


def _pointers(rows: Mapping[bytes, bytes]) -> Iterator[str]:
    """Each thing with an id of its own has its pointer, and no pointer is without."""
    for table in TABLES:
        there = {(keys.last_id(key), keys.to_id(key[1:9])) for key in _of(rows, table.kind)}
        pointers = {(keys.last_id(key), keys.to_id(rows[key])) for key in _of(rows, table.pointer_kind)}
        for entity, guild in there ^ pointers:
            yield f"{table.kind!r} {entity} of guild {guild}: a row without its pointer, or the other way round"
    voice = {(keys.last_id(key), keys.to_id(key[1:9])) for key in _of(rows, b"W")}
    if voice != {(keys.last_id(key), keys.to_id(rows[key])) for key in _of(rows, b"w")}:
        yield "who is in voice and who is in which channel are not the same"
    if {key[9:] for key in _of(rows, b"F")} != {key[1:] for key in _of(rows, b"f")}:
        yield "an invite without its pointer, or the other way round"


def _hanging(rows: Mapping[bytes, bytes]) -> Iterator[str]:
    """What is laid over channels and threads lies over some; who is in a thread is in one; all is some guild's."""
    for key in _of(rows, b"O"):
        guild, channel = keys.to_id(key[1:9]), keys.last_id(key)
        if CHANNELS.row(guild, channel) not in rows and THREADS.row(guild, channel) not in rows:
            yield f"something is laid over channel {channel}, which isn't there"
    for key in _of(rows, b"A"):
        if THREADS.row(keys.to_id(key[1:9]), keys.to_id(key[9:17])) not in rows:
            yield f"a member of thread {keys.to_id(key[9:17])}, which isn't there"
    of_guilds = b"GMPWLQAOZF!" + b"".join(table.kind for table in TABLES)
    guilds = {key[1:9] for key in _of(rows, b"g")}
    for key in rows:
        if key[:1] in of_guilds and key[1:9] not in guilds:
            yield f"{key!r} is of a guild that isn't there"


def _people(rows: Mapping[bytes, bytes]) -> Iterator[str]:
    """Each user has a reason to be known, each member is one; names lead to those who bear them, and to nobody else."""
    reasons = {(keys.to_id(key[1:9]), keys.last_id(key)) for key in _of(rows, b"m")}
    if {user for user, _ in reasons} != {keys.last_id(key) for key in _of(rows, b"U")}:
        yield "a user without a reason, or a reason without its user"
    members = {(keys.last_id(key), keys.to_id(key[1:9])) for key in _of(rows, b"M")}
    if members != {reason for reason in reasons if rows[keys.reference(*reason)] == b""}:
        yield "members are not those for whose sake users are known"
    private = {reason for reason in reasons if rows[keys.reference(*reason)] == b"private"}
    channels = {keys.last_id(key): msgspec.json.decode(rows[key])["recipients"] for key in _of(rows, b"X")}
    if private != {(int(user["id"]), channel) for channel, users in channels.items() for user in users}:
        yield "who is known for a private channel is not who is in one"
    people = (*_of(rows, b"M"), *_of(rows, b"U"))
    wanted = {name for key in people for name in derived.index(key, derived.names_in(key[0], rows[key]))}
    if wanted != {*_of(rows, b"q"), *_of(rows, b"Q")}:
        yield "the index of names is not what the names ask for"


def _counts(rows: Mapping[bytes, bytes]) -> Iterator[str]:
    """Counts are of what there is."""
    for kind, counts, what in ((b"M", b"L", "members"), (b"N", b"n", "messages")):
        found = Counter(key[1:9] for key in _of(rows, kind))
        counted = {key[-8:]: int.from_bytes(rows[key], "big") for key in _of(rows, counts)}
        if counted != found:
            yield f"{what} are {dict(found)}, and counted as {counted}"
