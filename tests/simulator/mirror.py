"""A client that believes every event: what it knows of the world, and what it heard that can't be.

It shares no code with the simulator. It begins with READY, and wants all intents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from attrs import Factory, define

Json = dict[str, Any]
HIDDEN = 1 << 17


def by_id(values: Iterable[Json], key: str = "id") -> dict[str, Json]:
    return {value[key]: value for value in values}


def user_of(value: Json) -> str:
    return str(value["user"]["id"])


def emoji_key(emoji: Json) -> str:
    return str(emoji["id"] or emoji["name"])


@define(eq=False)
class Heard:
    """A message, as far as it is known."""

    d: Json
    reactions: Counter[str] = Factory(Counter)
    reacted: set[tuple[str, str, bool]] = Factory(set)
    votes: set[tuple[str, int]] = Factory(set)


@define(eq=False)
class View:
    """A guild. All collections are keyed by id."""

    fields: Json
    count: int
    roles: dict[str, Json]
    emojis: dict[str, Json]
    stickers: dict[str, Json]
    sounds: dict[str, Json]
    channels: dict[str, Json]
    threads: dict[str, Json]
    members: dict[str, Json]
    presences: dict[str, Json]
    voice: dict[str, Json]
    stages: dict[str, Json]
    events: dict[str, Json]
    info: dict[str, Json] = Factory(dict)
    invites: dict[str, Json] = Factory(dict)
    rules: dict[str, Json] = Factory(dict)
    integrations: dict[str, Json] = Factory(dict)
    bans: set[str] = Factory(set)

    @classmethod
    def of(cls, d: Json) -> View:
        own = {
            "roles", "emojis", "stickers", "soundboard_sounds", "channels", "threads", "members", "presences",
            "voice_states", "stage_instances", "guild_scheduled_events", "unavailable", "member_count", "large",
            "joined_at",
        }  # fmt: skip
        return cls(
            {key: value for key, value in d.items() if key not in own},
            d["member_count"],
            by_id(d["roles"]),
            by_id(d["emojis"]),
            by_id(d["stickers"]),
            by_id(d["soundboard_sounds"], "sound_id"),
            by_id(d["channels"]),
            by_id(d["threads"]),
            {user_of(member): member for member in d["members"]},
            {user_of(presence): presence for presence in d["presences"]},
            by_id(d["voice_states"], "user_id"),
            by_id(d["stage_instances"]),
            by_id(d["guild_scheduled_events"]),
        )

    def takes_messages(self, id: str) -> bool:
        channel = self.channels.get(id) or self.threads.get(id)
        return channel is not None and not channel["flags"] & HIDDEN


class Mirror:
    """What a client knows after the events it took; ``wrong`` lists what could not be."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.names: Counter[str] = Counter()
        self.user: Json = {}
        self.guilds: dict[str, View] = {}
        self.away: set[str] = set()
        self.listed: set[str] = set()
        self.kept: dict[str, View] = {}
        self.messages: dict[str, dict[str, Heard]] = {}
        self.entitlements: dict[str, Json] = {}
        self.subscriptions: dict[str, Json] = {}
        self.written: Counter[str] = Counter()
        self.newest = 0

    def take(self, name: str, d: Json) -> None:
        """Believe an event."""
        self.names[name] += 1
        self.name = name
        handler: Callable[[Json], None] | None = getattr(self, f"on_{name.lower()}", None)
        if handler is None:
            self.wrong.append(f"an event nobody knows: {name}")
        else:
            handler(d)

    def check(self, holds: object, text: str) -> None:
        if not holds:
            self.wrong.append(f"{self.name}: {text}")

    def view(self, d: Json) -> View:
        """The guild that an event is of."""
        id = d["guild_id"]
        self.check(id in self.guilds and id not in self.away, f"guild {id} is not there")
        return self.guilds[id]

    # --- session and guilds

    def on_ready(self, d: Json) -> None:
        self.user = d["user"]
        self.listed = {guild["id"] for guild in d["guilds"]}

    def on_user_update(self, d: Json) -> None:
        self.check(d["id"] == self.user["id"], "of another user")
        self.user = d

    def on_guild_create(self, d: Json) -> None:
        id = d["id"]
        if "unavailable" in d:
            self.check(id in self.away or id in self.listed, "available again, but never listed")
        else:
            self.check(id not in self.guilds, "joined twice")
        self.away.discard(id)
        self.listed.discard(id)
        view = View.of(d)
        self.check(view.count == len(view.members), "member_count is wrong")
        old = self.kept.pop(id, None)
        if old is not None:
            view.info, view.invites, view.rules = old.info, old.invites, old.rules
            view.integrations, view.bans = old.integrations, old.bans
        self.guilds[id] = view

    def on_guild_delete(self, d: Json) -> None:
        id = d["id"]
        self.check(id in self.guilds, "of a guild that is not there")
        view = self.guilds.pop(id)
        if d.get("unavailable"):
            self.away.add(id)
            self.kept[id] = view
        else:
            for channel in (*view.channels, *view.threads):
                self.messages.pop(channel, None)

    def on_guild_update(self, d: Json) -> None:
        self.check(d["id"] in self.guilds, "of a guild that is not there")
        view = self.guilds[d["id"]]
        self.check(not {"members", "channels", "member_count", "joined_at"} & set(d), "brings too much")
        view.fields = {key: value for key, value in d.items() if key not in ("roles", "emojis", "stickers")}
        for name in ("roles", "emojis", "stickers"):
            self.check(by_id(d[name]) == getattr(view, name), f"other {name}")

    # --- people

    def on_guild_member_add(self, d: Json) -> None:
        view, id = self.view(d), user_of(d)
        view.count += id not in view.members
        self.check(id not in view.bans, "of one who is banned")
        view.members[id] = {key: value for key, value in d.items() if key != "guild_id"}

    def on_guild_member_update(self, d: Json) -> None:
        view, id = self.view(d), user_of(d)
        self.check(id in view.members, "of nobody")
        self.check(set(d["roles"]) <= set(view.roles), "with unknown roles")
        view.members[id] = {key: value for key, value in d.items() if key != "guild_id"}

    def on_guild_member_remove(self, d: Json) -> None:
        view, id = self.view(d), user_of(d)
        self.check(id in view.members, "of nobody")
        self.check(id not in view.voice, "while in voice")
        view.members.pop(id, None)
        view.presences.pop(id, None)
        view.count -= 1

    def on_presence_update(self, d: Json) -> None:
        view, id = self.view(d), user_of(d)
        self.check(id in view.members or d["status"] == "offline", "of nobody")
        if d["status"] == "offline":
            view.presences.pop(id, None)
        else:
            view.presences[id] = {key: value for key, value in d.items() if key != "guild_id"}

    def on_guild_ban_add(self, d: Json) -> None:
        view = self.view(d)
        self.check(user_of(d) not in view.bans, "twice")
        view.bans.add(user_of(d))

    def on_guild_ban_remove(self, d: Json) -> None:
        view = self.view(d)
        self.check(user_of(d) in view.bans, "of one who isn't banned")
        view.bans.discard(user_of(d))

    # --- messages

    def heard(self, d: Json) -> Heard:
        """The message that an event is about."""
        if "guild_id" in d:
            self.check(self.view(d).takes_messages(d["channel_id"]), "where no messages are")
        messages = self.messages.get(d["channel_id"], {})
        id = d.get("message_id") or d["id"]
        self.check(id in messages, f"of a message that is not there: {id}")
        return messages.get(id) or Heard({"reactions": {}})

    def on_message_create(self, d: Json) -> None:
        self.check(int(d["id"]) > self.newest or d["id"] == d["channel_id"], "older than the one before")
        self.newest = max(self.newest, int(d["id"]))
        author = d["author"]["id"]
        if d["flags"] & 64:
            self.check("guild_id" not in d and "member" not in d and author == self.user["id"], "ephemeral, but shown")
            return
        channel = d["channel_id"]
        if "guild_id" not in d:
            self.check(d["channel_type"] == 1 and "member" not in d, "neither of a guild nor direct")
        else:
            view = self.view(d)
            self.check(view.takes_messages(channel), "where no messages are")
            place = view.channels.get(channel) or view.threads[channel]
            self.check(d["channel_type"] == place["type"], "a wrong type of channel")
            if "webhook_id" in d:
                self.check(author not in view.members and "member" not in d, "a webhook that is a member")
            else:
                self.check(author in view.members, "by nobody")
                expected = {k: v for k, v in view.members[author].items() if k != "user"}
                self.check(d["member"] == expected and d["author"] == view.members[author]["user"], "another member")
            self.check(all(user["id"] in view.members for user in d["mentions"]), "mentions nobody")
            place["last_message_id"] = d["id"]
            if channel in view.threads and d["id"] != channel:
                place["message_count"] += 1
                place["total_message_sent"] += 1
        self.written[channel] += 1
        known = self.messages.setdefault(channel, {})
        self.check(d["id"] not in known, "twice")
        known[d["id"]] = Heard(d)

    def on_message_update(self, d: Json) -> None:
        heard = self.heard(d)
        heard.d |= {key: value for key, value in d.items() if key != "tts"}

    def on_message_delete(self, d: Json) -> None:
        self.heard(d)
        self.forget(d, d["id"])

    def on_message_delete_bulk(self, d: Json) -> None:
        for id in d["ids"]:
            self.heard({**d, "id": id})
            self.forget(d, id)

    def forget(self, d: Json, id: str) -> None:
        self.messages.get(d["channel_id"], {}).pop(id, None)
        thread = self.view(d).threads.get(d["channel_id"]) if "guild_id" in d else None
        if thread is not None and id != thread["id"]:
            thread["message_count"] -= 1

    def somebody(self, d: Json) -> None:
        if "guild_id" in d:
            self.check(d["user_id"] in self.view(d).members, "by nobody")
            if "member" in d:
                self.check(d["member"] == self.view(d).members.get(d["user_id"]), "another member")

    def on_message_reaction_add(self, d: Json) -> None:
        heard, key = self.heard(d), (emoji_key(d["emoji"]), d["user_id"], d["burst"])
        self.somebody(d)
        self.check(key not in heard.reacted, "twice")
        heard.reacted.add(key)

    def on_message_reaction_remove(self, d: Json) -> None:
        heard, key = self.heard(d), (emoji_key(d["emoji"]), d["user_id"], d["burst"])
        self.check(key in heard.reacted, "of none")
        heard.reacted.discard(key)

    def on_message_reaction_remove_all(self, d: Json) -> None:
        heard = self.heard(d)
        self.check(heard.reacted, "of none")
        heard.reacted.clear()

    def on_message_reaction_remove_emoji(self, d: Json) -> None:
        heard, key = self.heard(d), emoji_key(d["emoji"])
        self.check(any(each[0] == key for each in heard.reacted), "of none")
        heard.reacted = {each for each in heard.reacted if each[0] != key}

    def on_message_poll_vote_add(self, d: Json) -> None:
        heard, vote = self.heard(d), (d["user_id"], d["answer_id"])
        self.somebody(d)
        self.check(vote not in heard.votes, "twice")
        self.check(any(a["answer_id"] == d["answer_id"] for a in heard.d["poll"]["answers"]), "for no answer")
        heard.votes.add(vote)

    def on_message_poll_vote_remove(self, d: Json) -> None:
        heard, vote = self.heard(d), (d["user_id"], d["answer_id"])
        self.check(vote in heard.votes, "of none")
        heard.votes.discard(vote)

    def on_typing_start(self, d: Json) -> None:
        self.somebody(d)
        if "guild_id" in d:
            self.check(self.view(d).takes_messages(d["channel_id"]), "where no messages are")

    def on_channel_pins_update(self, d: Json) -> None:
        if "guild_id" in d:
            view = self.view(d)
            place = view.channels.get(d["channel_id"]) or view.threads.get(d["channel_id"])
            self.check(place is not None, "of no channel")
            if place is not None and d["last_pin_timestamp"] is not None:
                place["last_pin_timestamp"] = d["last_pin_timestamp"]
