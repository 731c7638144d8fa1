"""The store against a model: dicts and the rules as Discord's docs tell them, nothing clever."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.session import Session
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore
from rateway.store.updates.guilds import COLLECTIONS

from . import samples as s
from .stores import ask, dispatch, open_store, rows

GUILDS = (1 << 22, 2 << 22)
USERS = (s.BOT, s.ALICE, s.BOB)
CHANNELS = {GUILDS[0]: (101, 102), GUILDS[1]: (201, 202)}
ROLES = {GUILDS[0]: (11, 12), GUILDS[1]: (21, 22)}
MESSAGES = (1001, 1002, 1003, 1004)
CAP = 2


class Model:
    """What should be known, in the simplest way there is."""

    def __init__(self) -> None:
        self.guilds: dict[int, dict[str, Any]] = {}
        self.channels: dict[int, dict[str, Any]] = {}
        self.roles: dict[int, dict[str, Any]] = {}
        self.members: dict[tuple[int, int], dict[str, Any]] = {}
        self.users: dict[int, dict[str, Any]] = {s.BOT: s.own_user()}
        self.voice: dict[tuple[int, int], dict[str, Any]] = {}
        self.messages: dict[int, dict[int, dict[str, Any]]] = {}

    def forget_strangers(self) -> None:
        """Users are known by their memberships; the bot always."""
        known = {user for _, user in self.members} | {s.BOT}
        self.users = {user: data for user, data in self.users.items() if user in known}

    def forget_guild(self, guild: int) -> None:
        """All that a guild has."""
        for table in (self.channels, self.roles):
            for key in [key for key, data in table.items() if data["guild_id"] == str(guild)]:
                del table[key]
        for pairs in (self.members, self.voice):
            for pair in [pair for pair in pairs if pair[0] == guild]:
                del pairs[pair]

    def put_member(self, guild: int, data: dict[str, Any]) -> None:
        """A member and their user."""
        rest = {key: value for key, value in data.items() if key not in ("user", "guild_id")}
        user = int(data["user"]["id"])
        self.members[guild, user] = self.members.get((guild, user), {}) | rest
        self.users[user] = data["user"]

    def happens(self, name: str, d: dict[str, Any]) -> None:
        """One event, by its rule."""
        guild = int(d.get("guild_id") or d.get("id") or 0)
        if name == "READY":
            listed = {int(entry["id"]) for entry in d["guilds"]}
            for gone in set(self.guilds) - listed:
                self.happens("GUILD_DELETE", {"id": str(gone)})
            for each in listed:
                self.guilds[each] = self.guilds.get(each, {"id": str(each)}) | {"unavailable": True}
                self.voice.pop((each, s.BOT), None)
            self.users[s.BOT] = d["user"]
        elif name == "GUILD_CREATE":
            old = set(self.channels)
            self.forget_guild(guild)
            self.guilds[guild] = {k: v for k, v in d.items() if k not in COLLECTIONS}
            for channel in d["channels"]:
                self.channels[int(channel["id"])] = channel | {"guild_id": str(guild)}
            for gone in old - set(self.channels):
                self.messages.pop(gone, None)
            for role in d["roles"]:
                self.roles[int(role["id"])] = role | {"guild_id": str(guild)}
            for member in d["members"]:
                self.put_member(guild, member)
            for state in d["voice_states"]:
                self.voice[guild, int(state["user_id"])] = state | {"guild_id": str(guild)}
        elif name == "GUILD_DELETE" and d.get("unavailable"):
            self.guilds[guild] = self.guilds.get(guild, {"id": str(guild)}) | {"unavailable": True}
        elif name == "GUILD_DELETE":
            self.guilds.pop(guild, None)
            self.forget_guild(guild)
            for channel in CHANNELS.get(guild, ()):
                self.messages.pop(channel, None)
        elif guild in self.guilds:
            self.happens_in(guild, name, d)
        self.forget_strangers()

    def happens_in(self, guild: int, name: str, d: dict[str, Any]) -> None:
        """An event of a known guild."""
        user = int(d.get("user_id") or d.get("user", {}).get("id") or 0)
        if name in ("CHANNEL_CREATE", "CHANNEL_UPDATE"):
            self.channels[int(d["id"])] = d
        elif name == "CHANNEL_DELETE":
            self.channels.pop(int(d["id"]), None)
            self.messages.pop(int(d["id"]), None)
            self.voice = {pair: state for pair, state in self.voice.items() if state["channel_id"] != d["id"]}
        elif name == "GUILD_ROLE_CREATE":
            self.roles[int(d["role"]["id"])] = d["role"] | {"guild_id": str(guild)}
        elif name == "GUILD_ROLE_DELETE":
            self.roles.pop(int(d["role_id"]), None)
        elif name == "GUILD_MEMBER_ADD":
            if (guild, user) not in self.members:
                self.count(guild, 1)
            self.members.pop((guild, user), None)
            self.put_member(guild, d)
        elif name == "GUILD_MEMBER_UPDATE":
            self.put_member(guild, d)
        elif name == "GUILD_MEMBER_REMOVE":
            self.count(guild, -1)
            self.members.pop((guild, user), None)
            self.voice.pop((guild, user), None)
        elif name == "VOICE_STATE_UPDATE":
            self.voice.pop((guild, user), None)
            if d["channel_id"] is not None:
                self.voice[guild, user] = d
        elif name == "MESSAGE_CREATE":
            channel = int(d["channel_id"])
            if channel in self.channels:
                self.channels[channel] = self.channels[channel] | {"last_message_id": d["id"]}
            kept = self.messages.setdefault(channel, {})
            kept[int(d["id"])] = d
            self.messages[channel] = dict(sorted(kept.items())[-CAP:])
            self.put_member(guild, d["member"] | {"user": d["author"]})
        elif name == "MESSAGE_DELETE":
            self.messages.get(int(d["channel_id"]), {}).pop(int(d["id"]), None)

    def count(self, guild: int, more: int) -> None:
        """``member_count``, where it is known."""
        if "member_count" in self.guilds[guild]:
            self.guilds[guild]["member_count"] = max(0, self.guilds[guild]["member_count"] + more)

    def ask(self, kind: str, *ids: int) -> Any:
        """The same queries, by looking them up."""
        if kind == "Guild":
            return self.guilds.get(ids[0])
        if kind == "GuildChannel":
            return self.channels.get(ids[0])
        if kind == "Role":
            return self.roles.get(ids[0])
        if kind == "User":
            return self.users.get(ids[0])
        if kind == "VoiceState":
            return self.voice.get((ids[1], ids[0]))
        if kind == "VoiceChannelStates":
            there = [state for _, state in sorted(self.voice.items()) if state["channel_id"] == str(ids[0])]
            return sorted(there, key=lambda state: int(state["user_id"])) or None
        if kind == "Message":
            return self.messages.get(ids[0], {}).get(ids[1])
        found = self.members.get((ids[0], ids[1]))
        if found is None:
            return None
        whole = found | {"guild_id": str(ids[0]), "user_id": str(ids[1]), "user": self.users[ids[1]]}
        if ids[0] in self.roles:
            whole["roles"] = [role for role in whole["roles"] if int(role) in self.roles]
        return whole


@st.composite
def happenings(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An event with the few ids there are."""
    happening = draw(st.sampled_from(HAPPENINGS))
    guild = draw(st.sampled_from(GUILDS))
    event: tuple[str, dict[str, Any]] = happening(draw, guild)
    return event


def people(draw: st.DrawFn, guild: int) -> tuple[str, dict[str, Any]]:
    """Members come, change, write, and go."""
    name = draw(st.sampled_from(["ADD", "UPDATE", "UPDATE", "REMOVE"]))
    member = a_member(draw, guild)
    if name == "REMOVE":
        member = {"user": member["user"]}
    return f"GUILD_MEMBER_{name}", member | {"guild_id": str(guild)}


def a_member(draw: st.DrawFn, guild: int) -> dict[str, Any]:
    """A member, perhaps without all there is of one."""
    roles = draw(st.sampled_from([[], [str(ROLES[guild][0])]]))
    member = s.member(draw(st.sampled_from(USERS)), draw(st.sampled_from("ab")), roles=roles)
    if draw(st.booleans()):
        del member["nick"], member["deaf"]
    return member


def writing(draw: st.DrawFn, guild: int) -> tuple[str, dict[str, Any]]:
    """A message, made or deleted."""
    message, channel = draw(st.sampled_from(MESSAGES)), draw(st.sampled_from(CHANNELS[guild]))
    if draw(st.integers(0, 3)) == 0:
        return "MESSAGE_DELETE", {"id": str(message), "channel_id": str(channel), "guild_id": str(guild)}
    member = a_member(draw, guild)
    user = member.pop("user")
    return "MESSAGE_CREATE", s.message(message, channel, user, member=member, guild_id=str(guild))


def speaking(draw: st.DrawFn, guild: int) -> tuple[str, dict[str, Any]]:
    """Somebody goes to a voice channel, or leaves it."""
    channel = draw(st.sampled_from([None, *CHANNELS[guild]]))
    return "VOICE_STATE_UPDATE", s.voice_state(draw(st.sampled_from(USERS)), channel, guild_id=str(guild))


def furnishing(draw: st.DrawFn, guild: int) -> tuple[str, dict[str, Any]]:
    """A channel or role, made or deleted."""
    channel, role = draw(st.sampled_from(CHANNELS[guild])), draw(st.sampled_from(ROLES[guild]))
    name, of_guild = draw(st.sampled_from("ab")), {"guild_id": str(guild)}
    events: list[tuple[str, dict[str, Any]]] = [
        ("CHANNEL_CREATE", s.channel(channel, name=name) | of_guild),
        ("CHANNEL_DELETE", s.channel(channel) | of_guild),
        ("GUILD_ROLE_CREATE", {"role": s.role(role, name)} | of_guild),
        ("GUILD_ROLE_DELETE", {"role_id": str(role)} | of_guild),
    ]
    return events[draw(st.integers(0, 3))]


def leaving(draw: st.DrawFn, guild: int) -> tuple[str, dict[str, Any]]:
    """An outage, an end, a new session."""
    if draw(st.booleans()):
        return "READY", s.ready(*draw(st.sets(st.sampled_from(GUILDS))))
    return "GUILD_DELETE", {"id": str(guild), "unavailable": draw(st.booleans())}


def arriving(draw: st.DrawFn, guild: int) -> tuple[str, dict[str, Any]]:
    """A guild with some of what it can have."""
    name = draw(st.sampled_from("ab"))
    channels = draw(st.sets(st.sampled_from(CHANNELS[guild])))
    users = draw(st.sets(st.sampled_from(USERS)))
    roles = draw(st.sets(st.sampled_from(ROLES[guild])))
    return "GUILD_CREATE", s.bare_guild(
        guild,
        channels=[s.channel(each) for each in channels],
        members=[s.member(each, name) for each in users],
        voice_states=[s.voice_state(each, CHANNELS[guild][0]) for each in list(users)[:1]],
        roles=[s.role(each, name) for each in (guild, *roles)],
    )


HAPPENINGS = [people, people, writing, writing, speaking, furnishing, leaving, arriving]
"""What can happen, the common more often."""

QUESTIONS: list[tuple[Any, ...]] = [
    *(("Guild", guild) for guild in GUILDS),
    *(("GuildChannel", channel) for channels in CHANNELS.values() for channel in channels),
    *(("VoiceChannelStates", channel) for channels in CHANNELS.values() for channel in channels),
    *(("Role", role) for guild in GUILDS for role in (guild, *ROLES[guild])),
    *(("User", user) for user in USERS),
    *(("Member", guild, user) for guild in GUILDS for user in USERS),
    *(("VoiceState", user, guild) for guild in GUILDS for user in USERS),
    *(("Message", channel, message) for c in CHANNELS.values() for channel in c for message in MESSAGES),
]


class ModelTests(SynchronousTestCase):
    """Any events, in any order."""

    @settings(deadline=None, database=None, max_examples=int(os.environ.get("MODEL_EXAMPLES", "80")))
    @given(st.lists(st.tuples(st.lists(happenings(), min_size=1, max_size=12), st.sampled_from("....rc")), max_size=6))
    def test_same_answers(self, batches: list[tuple[list[tuple[str, dict[str, Any]]], str]]) -> None:
        """The store answers as the model does, after batches, replays and restarts; emptied, it has no row left."""
        folder = Path(self.mktemp()).absolute()
        store = open_store(folder / "cluster-1", messages=CAP)
        model, seq = Model(), 1
        session = Session("one", "", 0)
        events = [dispatch(1, "READY", s.ready())]
        try:
            for batch, then in [([], "."), *batches]:
                for name, d in batch:
                    seq += 1
                    events.append(dispatch(seq, name, d))
                    model.happens(name, d)
                store.apply([(0, session.at(seq), events)], {})
                if then == "r":
                    store.apply([(0, session.at(seq), events[-5:])], {})
                elif then == "c":
                    store.close()
                    store = open_store(folder / "cluster-1", messages=CAP)
                events = events[-5:]
                self.compare(folder, store, model)
            store.apply([(0, Session("two", "", 1), [dispatch(1, "READY", s.ready())])], {})
            self.assertEqual({key[:1] for key in rows(store)}, {b"U", b"m", b"q"}, sorted(rows(store)))
            self.assertEqual(len(rows(store)), 3, sorted(rows(store)))
        finally:
            store.close()
            shutil.rmtree(folder)

    def compare(self, folder: Path, store: ClusterStore, model: Model) -> None:
        """Every question, to both."""
        self.assertEqual(store.failures, 0)
        cache = Cache(folder, total=1, per_cluster=1, own={1: store}, enabled=True)
        for question in QUESTIONS:
            self.assertEqual(ask(cache, *question), model.ask(*question), question)
