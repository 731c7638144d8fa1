"""PURE: users, members and presences as Discord sends them, drawn at random, with the variety of the real ones.

Compression and indexes look better than they are on people who all have the same looks. Keys stand in the order in
which Discord sends them. Texts are put together by hand, for speed: a million are wanted.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

import ujson

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DISCORD_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
MOST_ROLES = 40

_ONSETS = ("b", "c", "ch", "d", "f", "g", "h", "j", "k", "kr", "l", "m", "n", "p", "r", "s", "sh", "st", "t", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u", "y", "ai", "oo")
_CODAS = ("", "", "", "n", "r", "s", "x", "l", "k", "th")
_OTHER_SCRIPTS = (
    "Алекс",
    "Мария",
    "さくら",
    "たろう",
    "김민준",
    "Łukasz",
    "José",
    "Zoë",
    "محمد",
    "ᴅᴀʀᴋ",
    "★",
    "🔥",
    "🌸",
)
_PALETTES = ("crimson", "berry", "sky", "teal", "forest", "bubble_gum", "violet", "cobalt", "clover", "lemon", "white")
_PUBLIC_FLAGS = (0, 0, 0, 0, 64, 128, 256, 4_194_304, 4_194_368, 4_194_432, 512)
_MEMBER_FLAGS = (0, 0, 0, 0, 0, 1, 2, 2, 10, 11)
_GAMES = ("Minecraft", "VALORANT", "Counter-Strike 2", "League of Legends", "Roblox", "Visual Studio Code", "Fortnite")


def snowflake(random: Random, when: datetime) -> int:
    """An id made then, by whichever of Discord's machines."""
    return int((when - DISCORD_EPOCH).total_seconds() * 1000) << 22 | random.getrandbits(22)


def word(random: Random) -> str:
    """A word of no language."""
    pick = random.choice
    return "".join(pick(_ONSETS) + pick(_VOWELS) + pick(_CODAS) for _ in range(pick((1, 2, 2, 3))))


def running(weights: Sequence[float]) -> list[float]:
    """Running totals of weights, for :func:`ranked`."""
    return list(accumulate(weights))


def ranked(random: Random, totals: list[float]) -> int:
    """An index, drawn by running totals of weights."""
    return min(bisect(totals, random.random() * totals[-1]), len(totals) - 1)


def _hash(random: Random) -> str:
    return f"{random.getrandbits(128):032x}"


def _decorations() -> list[str]:
    """The shop's, of which many users wear the same."""
    random = Random(1)
    return [
        f'{{"sku_id":"{snowflake(random, NOW)}","expires_at":null,"asset":"a_{_hash(random)}"}}' for _ in range(300)
    ]


def _tags() -> list[str]:
    """Tags of guilds that users show beside their names."""
    random = Random(2)
    return [
        ujson.dumps(
            {
                "tag": word(random).upper()[:4],
                "identity_guild_id": str(snowflake(random, NOW - timedelta(days=random.randrange(3000)))),
                "identity_enabled": True,
                "badge": _hash(random),
            }
        )
        for _ in range(2000)
    ]


def _plates() -> list[str]:
    random = Random(3)
    return [
        f'{{"nameplate":{{"sku_id":"{snowflake(random, NOW)}","palette":"{palette}",'
        f'"label":"COLLECTIBLES_NAMEPLATES_{palette.upper()}_A11Y","expires_at":null,'
        f'"asset":"nameplates/nameplates/{palette}_{n}/"}}}}'
        for palette in _PALETTES
        for n in range(5)
    ]


_DECORATIONS = _decorations()
_TAGS = _tags()
_TAG_TOTALS = running([1 / (n + 1) for n in range(len(_TAGS))])
_PLATES = _plates()


def user(random: Random, id: int) -> str:
    """A user's JSON."""
    chance, pick = random.random, random.choice
    name = pick((".", "_", "")).join(word(random) for _ in range(pick((1, 1, 2))))
    if chance() < 0.45:
        name += str(random.randrange(10 ** pick((1, 2, 2, 3, 4))))
    bot = chance() < 0.01
    shown = "null"
    if chance() < 0.8 and not bot:
        shown = f'"{name.title() if chance() < 0.4 else _shown(random)}"'
    return (
        f'{{"username":"{name}","public_flags":{pick(_PUBLIC_FLAGS)},'
        f'"primary_guild":{_TAGS[ranked(random, _TAG_TOTALS)] if chance() < 0.1 else "null"},"id":"{id}",'
        f'"global_name":{shown},'
        f'"discriminator":"{random.randrange(1, 10_000) if bot else 0:0{4 if bot else 1}d}",'
        f'"collectibles":{pick(_PLATES) if chance() < 0.04 else "null"},"bot":{"true" if bot else "false"},'
        f'"avatar_decoration_data":{pick(_DECORATIONS) if chance() < 0.07 else "null"},'
        f'"avatar":{_picture(random, 0.78)}}}'
    )


def member(random: Random, id: int, since: datetime, roles: Sequence[int], totals: list[float], mean: float) -> str:
    """A member's JSON, the user inside.

    :param since: when the guild began.
    :param roles: the guild's; ``totals``: of their weights; ``mean``: how many a member has.
    """
    chance = random.random
    begin = max(DISCORD_EPOCH + timedelta(milliseconds=id >> 22), since)
    joined = begin + (NOW - begin) * chance()
    own = {roles[ranked(random, totals)] for _ in range(min(int(random.expovariate(1 / mean) + 0.5), MOST_ROLES))}
    boosting = "null"
    if chance() < 0.025:
        boosting = f'"{(joined + (NOW - joined) * chance()).isoformat(timespec="microseconds")}"'
    until = f'"{NOW.isoformat(timespec="microseconds")}"' if chance() < 0.002 else "null"
    listed = ",".join([f'"{role}"' for role in own])
    return (
        f'{{"user":{user(random, id)},"roles":[{listed}],"premium_since":{boosting},'
        f'"pending":{"true" if chance() < 0.03 else "false"},'
        f'"nick":{_quoted(_shown(random)) if chance() < 0.12 else "null"},'
        f'"mute":{"true" if chance() < 0.003 else "false"},"joined_at":"{joined.isoformat(timespec="microseconds")}",'
        f'"flags":{random.choice(_MEMBER_FLAGS)},"deaf":false,"communication_disabled_until":{until},'
        f'"collectibles":null,"banner":null,"avatar_decoration_data":null,"avatar":{_picture(random, 0.02)}}}'
    )


def presence(random: Random) -> bytes:
    """PRESENCE_UPDATE, with ``%d`` for the user and for the guild: a third offline, of the others most do something."""
    status = random.choice(("online", "online", "idle", "dnd", "offline", "offline"))
    activities, client = [], "{}"
    if status != "offline":
        client = f'{{"{random.choice(("desktop", "mobile", "web"))}":"{status}"}}'
        stamp = 1_790_000_000_000 + random.getrandbits(32)
        if random.random() < 0.4:
            activities.append(
                f'{{"type":4,"state":"{" ".join([word(random) for _ in range(random.randrange(1, 8))])}",'
                f'"name":"Custom Status","id":"custom","created_at":{stamp}}}'
            )
        if random.random() < 0.5:
            activities.append(
                f'{{"type":0,"timestamps":{{"start":{stamp}}},"state":"{word(random)}","name":"{random.choice(_GAMES)}",'
                f'"id":"{random.getrandbits(60):x}","details":"{" ".join([word(random) for _ in range(4)])}",'
                f'"created_at":{stamp},"assets":{{"small_text":"{word(random)}","small_image":"{random.getrandbits(60)}",'
                f'"large_text":"{word(random)}","large_image":"{random.getrandbits(60)}"}},'
                f'"application_id":"{random.getrandbits(59)}"}}'
            )
    return (
        f'{{"user":{{"id":"%d"}},"status":"{status}","guild_id":"%d","client_status":{client},'
        f'"activities":[{",".join(activities)}]}}'
    ).encode()


def _quoted(text: str) -> str:
    return f'"{text}"'


def _shown(random: Random) -> str:
    """A name as people choose it to be seen."""
    name = " ".join([word(random).title() for _ in range(random.choice((1, 1, 1, 2)))])
    return f"{random.choice(_OTHER_SCRIPTS)} {name}" if random.random() < 0.12 else name


def _picture(random: Random, share: float) -> str:
    if random.random() >= share:
        return "null"
    return f'"{"a_" if random.random() < 0.15 else ""}{_hash(random)}"'
