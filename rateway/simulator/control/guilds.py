"""The guilds of the world: joined, left, out of order, or large."""

from __future__ import annotations

from typing import Literal

from ..hub import encode
from ..world.deeds import Deeds
from ..world.guild import Guild
from .directory import Directory


class GuildControls(Directory):
    """What a test may do to guilds."""

    @property
    def deeds(self) -> Deeds:
        """What anybody may do in the world: messages, reactions, typing, pins."""
        return self.hub.deeds

    def guild(self, index: int) -> Guild:
        """The world's guild in order of ids, from 0."""
        return self.hub.world.guilds[sorted(self.hub.world.guilds)[index]]

    def guild_create(self, guild_id: int, *, intents: int | None = None, pad_to: int = 0) -> bytes:
        """``d`` of a GUILD_CREATE as a session with these intents (all by default) gets it.

        :param pad_to: made at least so many bytes long, by members nobody has seen.
        """
        world = self.hub.world
        guild = world.guilds[guild_id]
        d = guild.create_payload((1 << 26) - 1 if intents is None else intents, 250)
        size = len(encode(d))
        if pad_to > size:
            sample = encode(next(iter(guild.members.values())))
            members = list(d["members"])
            template = next(iter(guild.members.values()))
            for _ in range(-(-(pad_to - size) // len(sample)) + 1):
                members.append({**template, "user": {**template["user"], "id": str(world.ids.made())}})
            d["members"], d["member_count"] = members, len(members)
            raw = encode(d)
            return raw if len(raw) >= pad_to else raw[:-1] + b',"padding":"' + b"x" * (pad_to - len(raw)) + b'"}'
        return encode(d)

    def dispatch_huge_guild(self, guild_id: int, size: int) -> int:
        """GUILD_CREATE of the guild to its shard, made at least ``size`` bytes long; its size is returned.

        :raises LookupError: when no session owns the guild.
        """
        owners = self.hub.owners(guild_id)
        if not owners:
            raise LookupError(f"no session owns guild {guild_id}")
        raw = self.guild_create(guild_id, pad_to=size)
        for session in owners:
            self.hub.deliver(session, "GUILD_CREATE", raw)
        return len(raw)

    def outage(self, guild_id: int) -> None:
        """The guild becomes unavailable: GUILD_DELETE with ``unavailable``, now and in each backfill."""
        self.hub.world.guilds[guild_id].unavailable = True
        for session in self.hub.owners(guild_id):
            self.hub.show_guild(session, guild_id)

    def recover(self, guild_id: int) -> None:
        """The outage ends: GUILD_CREATE with ``unavailable`` false."""
        self.hub.world.guilds[guild_id].unavailable = False
        for session in self.hub.owners(guild_id):
            self.hub.show_guild(session, guild_id)

    def join_guild(self, members: int | None = None) -> Guild:
        """The bot joins a new guild: GUILD_CREATE without ``unavailable``."""
        guild = self.hub.world.make_guild(members)
        for session in self.hub.owners(guild.id):
            self.hub.show_guild(session, guild.id, joined=True)
        return guild

    def leave_guild(self, guild_id: int, *, how: Literal["told", "silently"] = "told") -> None:
        """The bot is no longer in the guild; ``silently``: only a later READY shows it, by not listing it."""
        del self.hub.world.guilds[guild_id]
        if how == "told":
            for session in self.hub.owners(guild_id):
                self.hub.show_guild(session, guild_id)
