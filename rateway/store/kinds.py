"""The kinds of entities the store can keep, and what keeps each of them fresh.

An entity whose maintaining intent is off would go stale without a word, though Discord still lists it in guild
payloads: such a kind isn't kept at all (Discord's docs, "Gateway Intents"). One exception: without GUILD_MEMBERS
the bot's own member and those of users in voice are kept, for their events come regardless.

Members of threads are kept only with the threads, which are a GuildChannel each: nothing else tells when a thread ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen

from rateway.model.intents import Intent, names_of

KINDS: dict[str, int] = {
    "CurrentUser": 0,
    "Guild": Intent.GUILDS,
    "GuildChannel": Intent.GUILDS,
    "PrivateChannel": Intent.DIRECT_MESSAGES,
    "Role": Intent.GUILDS,
    "Emoji": Intent.GUILDS | Intent.GUILD_EXPRESSIONS,
    "Sticker": Intent.GUILDS | Intent.GUILD_EXPRESSIONS,
    "SoundboardSound": Intent.GUILDS | Intent.GUILD_EXPRESSIONS,
    "StageInstance": Intent.GUILDS,
    "ScheduledEvent": Intent.GUILDS | Intent.GUILD_SCHEDULED_EVENTS,
    "ThreadMember": Intent.GUILDS,
    "ChannelInfo": Intent.GUILDS,
    "Invite": Intent.GUILDS | Intent.GUILD_INVITES,
    "Integration": Intent.GUILDS | Intent.GUILD_INTEGRATIONS,
    "AutoModerationRule": Intent.GUILDS | Intent.AUTO_MODERATION_CONFIGURATION,
    "Member": 0,
    "User": 0,
    "Presence": Intent.GUILD_PRESENCES,
    "VoiceState": Intent.GUILD_VOICE_STATES,
    "Message": 0,
}
"""Kind → the intents that must all be on for it to be kept."""

WHOLE: dict[str, int] = {
    "Member": Intent.GUILD_MEMBERS,
    "User": Intent.GUILD_MEMBERS,
    "ThreadMember": Intent.GUILD_MEMBERS,
    "Message": Intent.GUILD_MESSAGES,
}
"""Kind → the intents without which only a part of it is known, though it is kept."""

PARTS: dict[str, int] = {
    "DirectMessage": Intent.DIRECT_MESSAGES,
    "Reaction": Intent.GUILD_MESSAGE_REACTIONS,
    "DirectReaction": Intent.DIRECT_MESSAGE_REACTIONS,
    "Poll": Intent.GUILD_MESSAGE_POLLS,
    "DirectPoll": Intent.DIRECT_MESSAGE_POLLS,
}
"""Part of what is kept as a Message → the intent that keeps it true; no kind that could be chosen by itself."""


@frozen
class Kept:
    """What one store keeps.

    :ivar names: the kinds kept.
    :ivar everybody: whether members are maintained (GUILD_MEMBERS), or only the bot's own and those in voice.
    :ivar guild_events: whether guilds come and go by events (GUILDS).
    :ivar messages_per_channel: how many messages of each channel; 0 for none.
    :ivar total: of shards: tells which guilds are a shard's.
    :ivar people: whether it must be known who is a member of what: for the members' or the users' sake.
    :ivar gaps: kind, or one of :data:`PARTS` → why it is not kept, or only in part; what is kept whole is not in it.
    """

    names: frozenset[str]
    everybody: bool
    guild_events: bool
    messages_per_channel: int
    total: int
    guilds: bool
    channels: bool
    private_channels: bool
    thread_members: bool
    members: bool
    users: bool
    presences: bool
    voice_states: bool
    messages: bool
    people: bool
    gaps: Mapping[str, str]


def what_is_kept(kinds: Iterable[str] | None, *, intents: int, messages_per_channel: int, total: int) -> Kept:
    """The kinds wanted, less those that nothing maintains.

    :param kinds: names out of :data:`KINDS`; ``None`` for all. Names not known are passed over.
    """
    wanted = frozenset(KINDS if kinds is None else kinds)
    names = frozenset(name for name, needed in KINDS.items() if name in wanted and intents & needed == needed)
    if messages_per_channel <= 0:
        names -= {"Message"}
    if "GuildChannel" not in names:
        names -= {"ThreadMember"}
    return Kept(
        names=names,
        everybody=bool(intents & Intent.GUILD_MEMBERS),
        guild_events=bool(intents & Intent.GUILDS),
        messages_per_channel=messages_per_channel,
        total=total,
        guilds="Guild" in names,
        channels="GuildChannel" in names,
        private_channels="PrivateChannel" in names,
        thread_members="ThreadMember" in names,
        members="Member" in names,
        users="User" in names,
        presences="Presence" in names,
        voice_states="VoiceState" in names,
        messages="Message" in names,
        people="Member" in names or "User" in names,
        gaps=_gaps(wanted, names, intents),
    )


def _gaps(wanted: Iterable[str], names: Iterable[str], intents: int) -> dict[str, str]:
    """Why kinds are not kept whole: the first reason, by who can mend it."""
    gaps = {}
    for kind in KINDS:
        off = (KINDS[kind] | WHOLE.get(kind, 0)) & ~intents
        if kind not in wanted:
            gaps[kind] = "CACHE_ENTITIES leaves it out"
        elif kind not in names and not KINDS[kind] & ~intents:
            gaps[kind] = "MESSAGE_CACHE_SIZE is 0" if kind == "Message" else "GuildChannel is not kept"
        elif off:
            gaps[kind] = _are_off(off)
    if "Message" in names:
        gaps |= {part: _are_off(intent) for part, intent in PARTS.items() if not intents & intent}
    return gaps


def _are_off(intents: int) -> str:
    names = names_of(intents)
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} off in INTENTS"
