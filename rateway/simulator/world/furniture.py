"""What a guild begins with: roles, expressions, channels of every type, threads, events, and who is in voice."""

from __future__ import annotations

from . import channels, payloads
from .draws import draw, token
from .guild import Guild
from .ids import Ids
from .payloads import EPOCH, Json

VIEW_CHANNEL, SEND_MESSAGES, MOVE_MEMBERS = 1 << 10, 1 << 11, 1 << 24
_EVERYONE = 2_248_473_465_835_073
_IN_VOICE = 50
"""At most so many members of a guild are in voice at first."""

_CHANNELS = (
    (0, "general"),
    (0, "random"),
    (5, "news"),
    (2, "Voice"),
    (2, "Lounge"),
    (13, "Stage"),
    (15, "ideas"),
    (16, "pictures"),
)


def furnish_roles(guild: Guild, ids: Ids) -> None:
    """Roles, emojis, stickers and sounds."""
    guild.roles[guild.id] = payloads.role(guild.id, "@everyone", 0, permissions=_EVERYONE)
    names: tuple[tuple[str, int, Json | None], ...] = (
        ("rateway-bot", 8, {"bot_id": str(guild.bot_id)}),
        ("booster", 0, {"premium_subscriber": None}),
        ("moderators", 1_099_511_627_776, None),
        ("regulars", 0, None),
    )
    for position, (name, permissions, tags) in enumerate(names, start=1):
        id = ids.made()
        guild.roles[id] = payloads.role(id, name, position, permissions=permissions, tags=tags)
    for name in ("wave2", "shrug"):
        id = ids.made()
        guild.emojis[id] = payloads.emoji(id, name)
    id = ids.made()
    guild.stickers[id] = payloads.sticker(id, guild.id, "hi")
    id = ids.made()
    guild.sounds[id] = payloads.sound(id, guild.id, "tada")


def furnish_channels(guild: Guild, ids: Ids) -> None:
    """A category with a channel of each type, and one that the bot may not see."""
    category = ids.made()
    guild.channels[category] = channels.channel(category, 4, "Main", 0)
    by_name: dict[str, int] = {}
    for position, (type, name) in enumerate(_CHANNELS):
        id = by_name[name] = ids.made()
        guild.channels[id] = channels.channel(id, type, name, position, parent=category)
    everyone, owner = guild.id, int(guild.fields["owner_id"])
    overwrites = guild.channels[by_name["general"]]["permission_overwrites"]
    overwrites.append(channels.overwrite(everyone, allow=VIEW_CHANNEL))
    overwrites = guild.channels[by_name["news"]]["permission_overwrites"]
    overwrites.append(channels.overwrite(everyone, deny=SEND_MESSAGES))
    overwrites.append(channels.overwrite(owner, member=True, allow=SEND_MESSAGES))
    forum = guild.channels[by_name["ideas"]]
    forum["available_tags"] = [channels.forum_tag(ids.made(), name, emoji) for name, emoji in _TAGS]
    forum["flags"] = 1 << 4
    forum["default_reaction_emoji"] = {"emoji_id": None, "emoji_name": "\N{THUMBS UP SIGN}"}
    hidden = ids.made()
    guild.channels[hidden] = channels.hidden_channel(hidden, guild.id, len(_CHANNELS))
    guild.fields["system_channel_id"] = str(by_name["general"])
    if guild.member_count > 1:
        _furnish_threads(guild, ids, by_name, owner)


_TAGS = (("todo", "\N{WHITE HEAVY CHECK MARK}"), ("done", "\N{PARTY POPPER}"))


def _furnish_threads(guild: Guild, ids: Ids, by_name: dict[str, int], owner: int) -> None:
    tag = guild.channels[by_name["ideas"]]["available_tags"][0]["id"]
    for parent, type, name in (("ideas", 11, "first idea"), ("news", 10, "about the news"), ("general", 12, "quietly")):
        id = ids.made()
        tags = (tag,) if parent == "ideas" else ()
        guild.threads[id] = channels.thread(
            id, guild.id, by_name[parent], str(owner), name, EPOCH, type=type, tags=tags
        )
        guild.thread_members[id] = {guild.bot_id, owner}
        if parent == "ideas":
            guild.channels[by_name[parent]]["last_message_id"] = str(id)


def furnish_life(guild: Guild, ids: Ids) -> None:
    """Who is in voice, an event that takes place now on the stage, and one to come."""
    crowd = guild.members.crowd
    voice = guild.voice_channels()
    if crowd.size <= 2 * _IN_VOICE:
        numbers = [number for number in range(crowd.size) if crowd.chance(number, 7) % 10 == 0]
    else:
        numbers = sorted({draw(crowd.seed, 8, place) % crowd.size for place in range(min(_IN_VOICE, crowd.size // 10))})
    for number in numbers:
        id = crowd.user(number)
        channel = voice[crowd.chance(number, 9) % len(voice)]
        guild.voice_states[id] = payloads.voice_state(str(id), channel, token(crowd.seed, 10, number))
    if crowd.size == 0:
        return
    stage = next(id for id, channel in guild.channels.items() if channel["type"] == 13)
    now, later, instance = ids.made(), ids.made(), ids.made()
    owner = guild.fields["owner_id"]
    guild.scheduled_events[now] = channels.scheduled_event(now, guild.id, stage, owner, "Town hall")
    guild.scheduled_events[now] |= {"status": 2, "entity_id": str(instance)}
    guild.stage_instances[instance] = channels.stage_instance(instance, guild.id, stage, "Town hall")
    guild.stage_instances[instance]["guild_scheduled_event_id"] = str(now)
    guild.scheduled_events[later] = channels.scheduled_event(later, guild.id, None, owner, "Picnic")
    for event in (now, later):
        guild.subscribers[event] = {int(owner)}
