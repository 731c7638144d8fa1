"""The world a simulated bot lives in: guilds, users and what they have, all drawn from one seed."""

from __future__ import annotations

from random import Random

from rateway.model.snowflake import shard_of

from ..options import SimulatorOptions
from . import payloads
from .guild import Guild, guild_fields
from .ids import Ids, direct_id, guild_id, user_id
from .payloads import EPOCH, Json
from .places import History, Place

BOT_ID = 900_000_000_000_000_001
_ADJECTIVES = ("amber", "bold", "calm", "deft", "eager", "fond", "glad", "humble", "ideal", "jolly", "keen", "lucid")
_NOUNS = ("badger", "crane", "dingo", "egret", "ferret", "gecko", "heron", "ibis", "jackal", "koala", "lemur", "newt")
_ROLES: tuple[tuple[str, int, Json | None], ...] = (
    ("rateway-bot", 8, {"bot_id": str(BOT_ID)}),
    ("booster", 0, {"premium_subscriber": None}),
    ("moderators", 1_099_511_627_776, None),
    ("regulars", 0, None),
)
_STATUSES = ("online", "idle", "dnd")


class World:
    """All guilds and users. The same options make the same world.

    :ivar users: by id; members of several guilds share one user.
    :ivar guilds: by id; guild number ``i`` is on shard ``i % total`` for totals up to 16.
    """

    def __init__(self, options: SimulatorOptions) -> None:
        self.random = Random(options.seed)
        self.ids = Ids()
        self.bot = payloads.user(BOT_ID, "rateway-bot", bot=True)
        self.users: dict[int, Json] = {BOT_ID: self.bot}
        self.guilds: dict[int, Guild] = {}
        self.directs: dict[int, Place] = {}
        self._homes: dict[int, Guild] = {}
        self._mean = options.members
        self._made = 0
        pool = max(options.members, int(options.guilds * options.members * 0.7))
        self._pool = [self._make_user(index) for index in range(pool)]
        self._new_users = pool
        for _ in range(options.guilds):
            self.make_guild()

    def _make_user(self, index: int) -> int:
        adjective, noun = self.random.choice(_ADJECTIVES), self.random.choice(_NOUNS)
        shown = f"{adjective.title()} {noun.title()}" if self.random.random() < 0.6 else None
        id = user_id(index)
        self.users[id] = payloads.user(id, f"{adjective}_{noun}{index}", global_name=shown)
        return id

    def new_user(self) -> int:
        """Somebody nobody has seen before."""
        self._new_users += 1
        return self._make_user(self._new_users)

    def anybody(self) -> int:
        """Somebody who was there from the beginning; the bot in a world without people."""
        return self.random.choice(self._pool) if self._pool else BOT_ID

    @property
    def bot_id(self) -> int:
        return BOT_ID

    def place(self, id: int) -> Place | None:
        """A channel that may hold messages, by its id: of a guild, a thread, or a direct one."""
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
            self.directs[id] = Place(id, None, payloads.direct_channel(id, self.users[user]), History())
        return self.directs[id]

    def guilds_of(self, shard: int, total: int) -> list[Guild]:
        """The guilds a shard owns, in order of their ids."""
        return [guild for id, guild in sorted(self.guilds.items()) if shard_of(id, total) == shard]

    def make_guild(self, members: int | None = None) -> Guild:
        """Add a guild; it is the next number, so its shard can be foreseen. Nothing is sent.

        :param members: how many besides the bot; None draws from around the mean.
        """
        index = self._made
        self._made += 1
        size = members
        if size is None:
            size = max(1, round(self._mean * self.random.uniform(0.5, 1.5))) if self._mean else 0
        while len(self._pool) < size:
            self._pool.append(self.new_user())
        chosen = self.random.sample(self._pool, size)
        id = guild_id(index)
        guild = Guild(id, BOT_ID, guild_fields(id, f"Guild {index}", str(chosen[0] if chosen else BOT_ID)))
        self._furnish_roles(guild)
        self._furnish_channels(guild)
        self._furnish_members(guild, chosen)
        self.guilds[id] = guild
        return guild

    def _furnish_roles(self, guild: Guild) -> None:
        guild.roles[guild.id] = payloads.role(guild.id, "@everyone", 0, permissions=2_248_473_465_835_073)
        for position, (name, permissions, tags) in enumerate(_ROLES, start=1):
            id = self.ids.made()
            guild.roles[id] = payloads.role(id, name, position, permissions=permissions, tags=tags)
        for name in ("wave2", "shrug"):
            id = self.ids.made()
            guild.emojis[id] = payloads.emoji(id, name)
        id = self.ids.made()
        guild.stickers[id] = payloads.sticker(id, guild.id, "hi")
        id = self.ids.made()
        guild.sounds[id] = payloads.sound(id, guild.id, "tada")

    def _furnish_channels(self, guild: Guild) -> None:
        category = self.ids.made()
        guild.channels[category] = payloads.channel(category, 4, "Main", 0)
        for position, (type, name) in enumerate(
            ((0, "general"), (0, "random"), (5, "news"), (2, "Voice"), (2, "Lounge"), (13, "Stage"), (15, "ideas"))
        ):
            id = self.ids.made()
            guild.channels[id] = payloads.channel(id, type, name, position, parent=category)
        hidden = self.ids.made()
        guild.channels[hidden] = payloads.hidden_channel(hidden, guild.id, 9)
        guild.fields["system_channel_id"] = str(guild.text_channels()[0])

    def _furnish_members(self, guild: Guild, chosen: list[int]) -> None:
        random = self.random
        own_roles = [id for id, role in guild.roles.items() if role["name"] == "rateway-bot"]
        given_roles = [str(id) for id, role in guild.roles.items() if not role["managed"] and id != guild.id]
        guild.add_member(BOT_ID, payloads.member(self.bot, joined_at=EPOCH, roles=tuple(map(str, own_roles))))
        for id in chosen:
            user = self.users[id]
            nick = user["username"][:3].title() if random.random() < 0.2 else None
            roles = tuple(random.sample(given_roles, random.randrange(len(given_roles) + 1)))
            joined_at = EPOCH - random.randrange(100_000_000)
            guild.add_member(id, payloads.member(user, joined_at=joined_at, nick=nick, roles=roles))
            if random.random() < 0.4:
                guild.presences[id] = payloads.presence(user["id"], random.choice(_STATUSES))
            if random.random() < 0.1:
                voice = random.choice(guild.voice_channels())
                guild.voice_states[id] = payloads.voice_state(user["id"], voice, self.token())
        if chosen:
            self._furnish_events(guild, chosen[0])

    def _furnish_events(self, guild: Guild, owner: int) -> None:
        forum = next(id for id, channel in guild.channels.items() if channel["type"] == 15)
        stage = next(id for id, channel in guild.channels.items() if channel["type"] == 13)
        thread, event, instance = self.ids.made(), self.ids.made(), self.ids.made()
        guild.threads[thread] = payloads.thread(thread, guild.id, forum, str(owner), "first idea", EPOCH)
        guild.scheduled_events[event] = payloads.scheduled_event(event, guild.id, stage, str(owner), "Town hall")
        guild.stage_instances[instance] = payloads.stage_instance(instance, guild.id, stage, "Town hall")

    def token(self) -> str:
        """32 characters, as session ids are."""
        return f"{self.random.getrandbits(128):032x}"
