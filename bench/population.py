"""Guilds with members, out of one seed: sizes with a heavy tail, and 555 bytes of JSON a member, with the user.

Each user is a member of one guild only: that is the most that members can cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from random import Random
from typing import Literal, TypeAlias

import ujson
from attrs import frozen

from rateway.simulator.world.sizes import guild_size

from .people import DISCORD_EPOCH, NOW, member, running, snowflake, word

LARGEST = 200_000
LARGE = 250
"""Members above which Discord sends none in GUILD_CREATE but those asked for (``large_threshold``)."""
CHUNK = 1000
"""Members of a GUILD_MEMBERS_CHUNK."""

Order: TypeAlias = Literal["random", "id"]
"""How members follow each other where Discord lists them: it doesn't say, and a tree is filled otherwise by each."""


@frozen
class Guild:
    """A guild of the population.

    :ivar size: of its members.
    """

    id: int
    seed: int
    size: int
    born: datetime
    roles: tuple[int, ...]
    order: Order

    def users(self) -> list[int]:
        """The members' ids. The same each time."""
        random = Random(self.seed)
        span = NOW - DISCORD_EPOCH
        ids = [snowflake(random, DISCORD_EPOCH + span * random.betavariate(2.5, 2)) for _ in range(self.size)]
        return sorted(ids) if self.order == "id" else ids

    def members(self) -> Iterator[str]:
        """Their JSON. The same each time."""
        random = Random(self.seed + 1)
        totals = running([(n + 1) ** -0.8 for n in range(len(self.roles))])
        mean = random.choice((0.3, 0.7, 1.2, 2.0, 3.5))
        for user in self.users():
            yield member(random, user, self.born, self.roles, totals, mean)

    def events(self) -> Iterator[tuple[str, bytes]]:
        """What tells of the guild and all its members: names and ``d`` of events."""
        members = self.members()
        yield "GUILD_CREATE", self._create(list(islice(members, self.size if self.size <= LARGE else 1)))
        while chunk := list(islice(members, CHUNK)):
            yield "GUILD_MEMBERS_CHUNK", f'{{"guild_id":"{self.id}","members":[{",".join(chunk)}]}}'.encode()

    def _create(self, members: list[str]) -> bytes:
        random = Random(self.seed + 2)
        roles = [
            {
                "unicode_emoji": None,
                "position": position,
                "permissions": str(random.getrandbits(50)),
                "name": word(random),
                "mentionable": False,
                "managed": False,
                "id": str(role),
                "icon": None,
                "hoist": position % 3 == 0,
                "flags": 0,
                "color": random.getrandbits(24),
            }
            for position, role in enumerate(self.roles)
        ]
        channels = [
            {
                "type": 0,
                "topic": " ".join(word(random) for _ in range(12)) if position % 3 == 0 else None,
                "rate_limit_per_user": 0,
                "position": position,
                "permission_overwrites": [{"type": 0, "id": str(self.id), "deny": "0", "allow": "1024"}],
                "parent_id": None,
                "name": word(random),
                "last_message_id": str(snowflake(random, NOW)),
                "id": str(snowflake(random, self.born)),
                "flags": 0,
            }
            for position in range(10 + len(self.roles) // 2)
        ]
        rest = {
            "id": str(self.id),
            "name": word(random).title(),
            "owner_id": str(self.users()[0]),
            "member_count": self.size,
            "large": self.size > LARGE,
            "unavailable": False,
            "joined_at": "2026-01-01T00:00:00.000000+00:00",
            "roles": roles,
            "channels": channels,
        }
        head = ujson.dumps(rest, escape_forward_slashes=False)
        return f'{head[:-1]},"members":[{",".join(members)}],"presences":[],"threads":[],"voice_states":[]}}'.encode()


def population(members: int, *, seed: int = 1, mean: int = 600, order: Order = "random") -> Iterator[Guild]:
    """Guilds with so many members altogether.

    :param mean: members of a guild, on average.
    """
    number = 0
    while members > 0:
        random = Random(seed << 32 | number)
        size = min(guild_size("heavy", mean, LARGEST, seed, number), members)
        born = NOW - timedelta(days=random.uniform(30, 3600))
        roles = [snowflake(random, born + (NOW - born) * random.random()) for _ in range(5 + int(2 * size**0.35))]
        yield Guild(snowflake(random, born), random.getrandbits(60), size, born, tuple(roles), order)
        members -= size
        number += 1
