"""The world a simulated bot lives in: guilds, users and what they have, all drawn from one seed."""

from __future__ import annotations

from random import Random

from rateway.model.snowflake import shard_of

from ..options import SimulatorOptions
from . import channels, payloads
from .draws import draw
from .furniture import furnish_channels, furnish_life, furnish_roles
from .guild import Guild, guild_fields
from .ids import Ids, direct_id, guild_id, user_id
from .members import Crowd, Members
from .payloads import Json
from .places import History, Memory, Place
from .presences import Presences
from .sizes import guild_size
from .users import Users

BOT_ID = 900_000_000_000_000_001

_SHARED = 0.7
"""Users per seat in a guild: below 1, so that some sit in several guilds."""


class World:
    """All guilds and users. The same options make the same world.

    :ivar users: by id; members of several guilds share one user.
    :ivar guilds: by id; guild number ``i`` is on shard ``i % total`` for totals up to 16.
    :ivar directs: the direct channels opened so far, by id.
    :ivar entitlements: who paid for what; ``subscriptions`` likewise.
    """

    def __init__(self, options: SimulatorOptions) -> None:
        self.random = Random(options.seed)
        self.ids = Ids()
        self.bot = payloads.user(BOT_ID, "rateway-bot", bot=True)
        self.guilds: dict[int, Guild] = {}
        self.memory = Memory()
        self.directs: dict[int, Place] = {}
        self.entitlements: dict[int, Json] = {}
        self.subscriptions: dict[int, Json] = {}
        self._options = options
        self._homes: dict[int, Guild] = {}
        self._made = 0
        sizes = [self._size(index) for index in range(options.guilds)]
        self._pool = max([options.members, int(sum(sizes) * _SHARED), *sizes])
        self.users = Users(options.seed, self._pool, self.bot)
        for size in sizes:
            self.make_guild(size)

    def _size(self, index: int) -> int:
        options = self._options
        return guild_size(options.sizes, options.members, options.largest, options.seed, index)

    @property
    def bot_id(self) -> int:
        return BOT_ID

    def new_user(self) -> int:
        """Somebody nobody has seen before."""
        return self.users.new()

    def anybody(self) -> int:
        """Somebody who was there from the beginning; the bot in a world without people."""
        if not self._pool:
            return BOT_ID
        return user_id(self.random.randrange(self._pool))

    def guilds_of(self, shard: int, total: int) -> list[Guild]:
        """The guilds a shard owns, in order of their ids."""
        return [guild for id, guild in sorted(self.guilds.items()) if shard_of(id, total) == shard]

    def make_guild(self, members: int | None = None) -> Guild:
        """Add a guild; it is the next number, so its shard can be foreseen. Nothing is sent.

        :param members: how many besides the bot; None draws as the options say.
        """
        index = self._made
        self._made += 1
        size = self._size(index) if members is None else members
        users = max(self._pool, size)
        self.users.reach(users)
        crowd = Crowd.drawn(draw(self._options.seed, 11, index), size, users)
        id = guild_id(index)
        owner = crowd.user(0) if size else BOT_ID
        roles: dict[int, Json] = {}
        # The members need the roles that may be given to them, and these are made with the guild.
        own: list[str] = []
        given: list[str] = []
        people = Members(self.users, crowd, BOT_ID, own, roles, given)
        fields = guild_fields(id, f"Guild {index}", str(owner))
        guild = Guild(id, index, BOT_ID, fields, roles, people, Presences(people, BOT_ID), self.memory)
        furnish_roles(guild, self.ids)
        own += [str(role) for role, value in roles.items() if value["name"] == "rateway-bot"]
        given += [str(role) for role, value in roles.items() if not value["managed"] and role != id]
        people.change(BOT_ID, roles=own)
        furnish_channels(guild, self.ids)
        furnish_life(guild, self.ids)
        self.guilds[id] = guild
        return guild

    # --- channels with messages

    def place(self, id: int) -> Place | None:
        """A channel that the bot may see, by its id: of a guild, a thread, or a direct one."""
        direct = self.directs.get(id)
        if direct is not None:
            return direct
        guild = self._homes.get(id)
        if guild is None or guild.id not in self.guilds or guild.place(id) is None:
            guild = next((guild for guild in self.guilds.values() if guild.place(id) is not None), None)
            if guild is None:
                return None
            self._homes[id] = guild
        return guild.place(id)

    def direct_with(self, user: int) -> Place:
        """The bot's direct channel with a user: always the same."""
        id = direct_id(user)
        if id not in self.directs:
            self.directs[id] = Place(id, None, channels.direct_channel(id, self.users[user]), History(self.memory))
        return self.directs[id]

    def token(self) -> str:
        """32 characters, as session ids are."""
        return f"{self.random.getrandbits(128):032x}"
