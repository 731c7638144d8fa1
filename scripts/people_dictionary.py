"""Trains the dictionary by which the store compresses members and users: ``rateway/store/people.dict``.

    python -m scripts.people_dictionary

The samples have the keys and the usual values of Discord's members and users, in the orders in which they are known to
come. What differs from one to another, ids, names, hashes and times, is drawn at random: so the dictionary learns the
form and nobody's name. It is the same bytes for the same seed and version of zstd. Whoever trains it anew must raise
``VERSION`` in ``rateway/store/trust.py``, for rows are read by the dictionary they were written with.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import zstandard

from rateway.store.packing import LEVEL
from scripts.environment import ROOT

PATH = ROOT / "rateway" / "store" / "people.dict"
SIZE = 8 << 10
SAMPLES = 12_000
LETTERS = "abcdefghijklmnopqrstuvwxyz"
BEGIN = datetime(2015, 6, 1, tzinfo=UTC)


def maybe(random: Random, share: float, value: Any) -> Any:
    """The value, at so many out of one; else null."""
    return value if random.random() < share else None


def snowflake(random: Random) -> str:
    """An id of the last ten years."""
    return str(random.randrange(1 << 57, 1 << 61))


def picture(random: Random) -> str:
    """The hash of a picture, some of which move."""
    return f"{'a_' if random.random() < 0.15 else ''}{random.getrandbits(128):032x}"


def name(random: Random) -> str:
    """Letters, some of them followed by digits."""
    letters = "".join(random.choices(LETTERS, k=random.randrange(3, 14)))
    return letters + (str(random.randrange(10_000)) if random.random() < 0.4 else "")


def moment(random: Random) -> str:
    """A time of the last years, to the microsecond."""
    when = BEGIN + timedelta(milliseconds=random.randrange(12 * 365 * 86_400_000))
    return when.isoformat(timespec="microseconds")


def collectibles(random: Random) -> dict[str, Any]:
    """What is worn beside the name."""
    plate = name(random)
    return {
        "nameplate": {
            "sku_id": snowflake(random),
            "palette": plate,
            "label": f"COLLECTIBLES_NAMEPLATES_{plate.upper()}_A11Y",
            "expires_at": None,
            "asset": f"nameplates/nameplates/{plate}/",
        }
    }


def user(random: Random) -> dict[str, Any]:
    """A user, the keys in the order of Discord's documentation."""
    bot = random.random() < 0.03
    found: dict[str, Any] = {
        "id": snowflake(random),
        "username": name(random),
        "discriminator": f"{random.randrange(1, 10_000):04d}" if bot else "0",
        "global_name": maybe(random, 0.7, name(random).title()),
        "avatar": maybe(random, 0.75, picture(random)),
        "bot": bot,
        "public_flags": random.choice((0, 0, 0, 64, 128, 256, 4_194_304)),
        "avatar_decoration_data": maybe(
            random, 0.06, {"asset": f"a_{picture(random)}", "sku_id": snowflake(random), "expires_at": None}
        ),
        "collectibles": maybe(random, 0.03, collectibles(random)),
        "primary_guild": maybe(
            random,
            0.1,
            {
                "identity_guild_id": snowflake(random),
                "identity_enabled": True,
                "tag": name(random).upper()[:4],
                "badge": picture(random),
            },
        ),
    }
    if not bot and random.random() < 0.5:
        del found["bot"]
    return found


def member(random: Random) -> dict[str, Any]:
    """A member without the user."""
    return {
        "nick": maybe(random, 0.15, name(random)),
        "avatar": maybe(random, 0.02, picture(random)),
        "banner": maybe(random, 0.01, picture(random)),
        "roles": [snowflake(random) for _ in range(random.choice((0, 0, 1, 1, 2, 3, 5)))],
        "joined_at": moment(random),
        "premium_since": maybe(random, 0.03, moment(random)),
        "deaf": random.random() < 0.01,
        "mute": random.random() < 0.01,
        "flags": random.choice((0, 0, 0, 0, 1, 2, 10)),
        "pending": random.random() < 0.03,
        "communication_disabled_until": maybe(random, 0.01, moment(random)),
        "avatar_decoration_data": None,
        "collectibles": None,
    }


def orders(fields: Mapping[str, Any], random: Random) -> dict[str, Any]:
    """The fields in one of the orders in which they come: as documented, or by name, from either end."""
    names = list(fields)
    order = random.randrange(3)
    if order:
        names.sort(reverse=order == 2)
    return {name: fields[name] for name in names}


def main() -> None:
    """Train, and write the file."""
    random = Random(1)
    samples: list[bytes | bytearray | memoryview] = [
        msgspec.json.encode(orders(make(random), random)) for _ in range(SAMPLES // 2) for make in (user, member)
    ]
    trained = zstandard.train_dictionary(SIZE, samples, level=LEVEL)
    PATH.write_bytes(trained.as_bytes())
    print(f"{PATH.relative_to(ROOT)}: {len(trained.as_bytes())} bytes, from {len(samples)} samples")


if __name__ == "__main__":
    main()
