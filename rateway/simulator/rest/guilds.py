"""Guilds as REST shows them: themselves, their channels, roles and members."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from heapq import merge
from itertools import islice

from rateway.model.intents import Intent

from ..hub import Hub
from ..world.channels import OBFUSCATED
from ..world.guild import Guild
from ..world.ids import user_id
from ..world.payloads import Json
from .answers import Answer, json_answer
from .buckets import Route
from .calls import Call, Handler
from .errors import refusal

PERMISSIONS = "2248473465835073"
"""Of the bot, which is an administrator everywhere."""


class Guilds:
    """``/guilds/{id}`` and what is below it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        def get(path: str, perform: Handler, limit: int = 5) -> Route:
            return Route(method="GET", template=f"/guilds/{{}}{path}", limit=limit, per=5.0, perform=perform)

        return [
            get("", self.guild),
            get("/channels", self.channels),
            get("/roles", self.roles),
            get("/threads/active", self.threads),
            get("/members", self.members, 10),
            get("/members/{}", self.member, 10),
        ]

    def _guild(self, call: Call) -> Guild:
        guild = self._hub.world.guilds.get(call.id(0, "guild_id"))
        if guild is None:
            raise refusal(10004)
        return guild

    def guild(self, call: Call) -> Answer:
        guild, counts = self._guild(call), call.query.flag("with_counts")
        return json_answer(200, guild.update_payload() | (with_counts(guild) if counts else {}))

    def channels(self, call: Call) -> Answer:
        """All but threads, and those the bot may not see."""
        guild = self._guild(call)
        shown = [channel for channel in guild.channels.values() if not channel["flags"] & OBFUSCATED]
        return json_answer(200, [{**channel, "guild_id": str(guild.id)} for channel in shown])

    def roles(self, call: Call) -> Answer:
        return json_answer(200, list(self._guild(call).roles.values()))

    def threads(self, call: Call) -> Answer:
        """The active threads, and the bot's membership in them."""
        threads = list(self._guild(call).threads.values())
        bot = self._hub.world.bot["id"]
        joined = [{"id": thread["id"], "user_id": bot, **thread["member"]} for thread in threads if "member" in thread]
        return json_answer(200, {"threads": threads, "members": joined})

    def members(self, call: Call) -> Answer:
        """Members by rising id; only for applications with GUILD_MEMBERS enabled."""
        guild = self._guild(call)
        if not self._hub.options.allowed_intents & Intent.GUILD_MEMBERS:
            raise refusal(50001)
        limit, after = call.query.number("limit", 1, 1, 1000), call.query.snowflake("after") or 0
        ids = islice(self._members_after(guild, after), limit)
        return json_answer(200, [guild.members[id] for id in ids])

    def _members_after(self, guild: Guild, after: int) -> Iterator[int]:
        """Members' ids above ``after``, rising: found by a walk over the world's users, without sorting a crowd."""
        numbers = range(self._hub.world.users.count)
        walked = map(user_id, numbers[bisect_right(numbers, after, key=user_id) :])
        others = {self._hub.world.bot_id, *guild.members.joined()}
        crowd = (id for id in walked if id in guild.members and id not in others)
        return merge(crowd, sorted(id for id in others if id > after and id in guild.members))

    def member(self, call: Call) -> Answer:
        guild, id = self._guild(call), call.id(1, "user_id")
        if id in guild.members:
            return json_answer(200, guild.members[id])
        raise refusal(10007 if id in self._hub.world.users else 10013)


def with_counts(guild: Guild) -> Json:
    """What ``with_counts`` adds to a guild."""
    online = guild.presences.approximate_count()
    return {"approximate_member_count": guild.member_count, "approximate_presence_count": online}
