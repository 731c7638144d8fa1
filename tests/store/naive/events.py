"""Events to try: of few ids, so that they meet; in any order, so that some come that Discord would hardly send."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.store import samples as s

from .world import Json

TOTAL = 4
USERS = (s.BOT, s.ALICE, s.BOB, s.CAROL)
NAMES = ("ann", "bea")
DMS = {s.ALICE: 9001, s.BOB: 9002}
MESSAGES = range(5001, 5004)


class Place:
    """A guild's ids, by its shard."""

    def __init__(self, shard: int, nth: int = 0) -> None:
        self.guild = (shard + TOTAL * (nth + 1)) << 22
        first = self.guild + 100
        self.shard = shard
        self.text, self.voice, self.forum, self.category = range(first, first + 4)
        self.threads = tuple(range(first + 10, first + 13))
        self.roles = (self.guild, first + 20, first + 21)
        self.emojis = (first + 30, first + 31)
        self.stickers = (first + 40, first + 41)
        self.sounds = (first + 50, first + 51)
        self.stages = (first + 60,)
        self.events = (first + 70, first + 71)
        self.integrations = (first + 80,)
        self.rules = (first + 81,)
        self.invites = (f"code{self.guild}a", f"code{self.guild}b")

    def __repr__(self) -> str:
        return f"<guild {self.guild} of shard {self.shard}>"

    @property
    def channels(self) -> tuple[int, ...]:
        """All but threads."""
        return self.text, self.voice, self.forum, self.category

    @property
    def written(self) -> tuple[int, ...]:
        """Where there are messages."""
        return self.text, self.voice, *self.threads


PLACES = (Place(0), Place(0, 1), Place(2))


class Draw:
    """One event's choices.

    :ivar whole: whether of all lists everything is taken.
    """

    def __init__(self, place: Place, salt: int, whole: bool = False) -> None:
        self.random = Random(salt)
        self.whole = whole
        self.place = place
        self.choice = self.random.choice
        self.of_guild: Json = {"guild_id": str(place.guild)}

    def maybe(self, share: float = 0.5) -> bool:
        """Whether or not."""
        return self.random.random() < share

    def some(self, things: tuple[Any, ...]) -> list[Any]:
        """Some of them, or none."""
        return [thing for thing in things if self.whole or self.maybe()]

    def name(self) -> str:
        """A name."""
        return self.choice(NAMES)

    def of_channel(self) -> Json:
        """The guild's id, which Discord leaves out at times."""
        return self.of_guild if self.maybe(0.8) else {}

    def user(self, user: int | None = None) -> Json:
        """A user."""
        return s.user(self.choice(USERS) if user is None else user, self.name())

    def member(self, user: int | None = None) -> Json:
        """A member, perhaps not with all there is of one."""
        member = s.member(self.choice(USERS) if user is None else user, self.name())
        member["roles"] = [str(role) for role in self.some(self.place.roles[1:])]
        member["nick"] = self.choice([None, "nick"])
        for field in ("nick", "deaf", "mute", "pending"):
            if self.maybe(0.1):
                del member[field]
        return member

    def inside(self, user: int) -> Json:
        """A member as messages bear it."""
        member = self.member(user)
        del member["user"]
        return member

    def channel(self, id: int | None = None) -> Json:
        """A channel, seen or hidden."""
        id = self.choice(self.place.channels) if id is None else id
        kinds = {self.place.voice: 2, self.place.forum: 15, self.place.category: 4}
        channel = s.channel(id, kinds.get(id, 0), self.name())
        if self.maybe(0.2):
            channel |= {"name": "___hidden___", "flags": 1 << 17, "topic": None}
        return channel

    def thread(self, id: int | None = None, archived: bool = False) -> Json:
        """A thread, perhaps with the bot in it."""
        id = self.choice(self.place.threads) if id is None else id
        parent = (self.place.forum, self.place.text, self.place.text)[self.place.threads.index(id)]
        thread = s.thread(id, parent, archived, guild_id=str(self.place.guild), name=self.name())
        thread |= {"type": 12 if id == self.place.threads[2] else 11, "last_message_id": self.choice([None, "5001"])}
        if self.maybe(0.3):
            thread["member"] = {"flags": self.choice([0, 1]), "join_timestamp": "2026-01-01T00:00:00+00:00"}
        return thread

    def thread_member(self, thread: int, user: int) -> Json:
        """A thread member."""
        return {"id": str(thread), "user_id": str(user), "flags": self.choice([0, 1]), "join_timestamp": "2026"}

    def role(self, id: int | None = None) -> Json:
        """A role."""
        return s.role(self.choice(self.place.roles) if id is None else id, self.name())

    def emoji(self, id: int) -> Json:
        """An emoji."""
        return s.emoji(id, self.name())

    def sticker(self, id: int) -> Json:
        """A sticker."""
        return {"id": str(id), "name": self.name(), "type": 2, "format_type": 1}

    def sound(self, id: int | None = None) -> Json:
        """A sound."""
        id = self.choice(self.place.sounds) if id is None else id
        return {"sound_id": str(id), "name": self.name(), "volume": 0.5, "available": True}

    def stage(self, id: int) -> Json:
        """A stage instance."""
        return {"id": str(id), "channel_id": str(self.place.voice), "topic": self.name()} | self.of_guild

    def event(self, id: int | None = None) -> Json:
        """A scheduled event, in a channel or elsewhere."""
        id = self.choice(self.place.events) if id is None else id
        channel = self.choice([None, str(self.place.voice)])
        event = {"id": str(id), "channel_id": channel, "name": self.name(), "status": self.choice([1, 1, 2, 3, 4])}
        return event | self.of_guild | ({"user_count": self.choice([0, 1, 5])} if self.maybe() else {})

    def presence(self, user: int | None = None) -> Json:
        """A presence."""
        user = self.choice(USERS) if user is None else user
        d = s.presence(user, self.choice(["online", "dnd", "offline"])) | self.of_guild
        told = self.choice([user, str(user)])
        return d | {"user": {"id": told, "username": self.name()}} if self.maybe(0.3) else d

    def voice_state(self, user: int, channel: int | None) -> Json:
        """A voice state."""
        return s.voice_state(user, channel, self_deaf=self.maybe())

    def spot(self) -> int:
        """Where a message is: mostly in one of two places."""
        return self.choice((self.place.text, self.place.threads[0]) if self.maybe(0.9) else self.place.written)

    def emoji_of_reaction(self) -> Json:
        """One of Unicode, or a custom one, whose name may be told or not."""
        return self.choice([{"id": None, "name": "x"}, {"id": "77", "name": "y"}, {"id": "77", "name": None}])

    def emoji_place(self) -> Json:
        """Which message, perhaps a direct one."""
        message = {"message_id": str(self.choice(MESSAGES))}
        if self.maybe(0.15):
            return message | {"channel_id": str(self.choice(list(DMS.values())))}
        return message | {"channel_id": str(self.spot())} | self.of_channel()

    def message(self) -> Json:
        """A message in the guild: by a member, by who is none any more, by a webhook, or ephemeral."""
        user = self.choice(USERS)
        channel = self.spot()
        d = s.message(self.choice((*MESSAGES, channel)), channel, self.user(user), content=self.name())
        d |= {"guild_id": str(self.place.guild), "member": self.inside(user), "tts": self.maybe()}
        if self.maybe(0.2):
            d["poll"] = {"question": {"text": "?"}}
            if self.maybe(0.8):
                d["poll"]["results"] = {"is_finalized": False, "answer_counts": []}
        if self.maybe(0.1):
            d |= {"webhook_id": "8888", "author": s.user(8888, "hook")}
        if self.maybe(0.1):
            d["flags"] = 64
            del d["guild_id"]
            if self.maybe():
                del d["channel_type"]
        if "webhook_id" in d or d["flags"] or self.maybe(0.1):
            del d["member"]
        return d

    def private_message(self) -> Json:
        """A direct message, by the user or the bot."""
        user = self.choice(list(DMS))
        author = self.user(user if self.maybe(0.7) else s.BOT)
        return s.private_message(self.choice(MESSAGES), author, DMS[user])
