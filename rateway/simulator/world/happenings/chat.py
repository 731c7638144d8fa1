"""Messages, reactions, votes, typing, and direct messages."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from .. import messages, reactions
from ..guild import Guild
from ..messages import Event
from ..payloads import Json
from ..places import Message, Place
from ..world import World
from .happening import FACES, WORDS
from .threads import enter

_BULK = 10


def _talk(random: Random) -> str:
    return " ".join(random.choices(WORDS, k=random.choice((3, 6, 12, 40))))


def _somewhere(guild: Guild, random: Random) -> Place | None:
    """A channel or, sometimes, a thread."""
    if guild.threads and random.random() < 0.15:
        return guild.place(random.choice(list(guild.threads)))
    channels = guild.text_channels()
    return guild.place(random.choice(channels)) if channels else None


def _recent(guild: Guild, random: Random) -> tuple[Place, Message] | None:
    """A message that the guild remembers, rather a young one."""
    filled = [id for id, history in guild.histories.items() if len(history)]
    place = guild.place(random.choice(filled)) if filled else None
    if place is None:
        return None
    kept = list(place.history)
    return place, kept[-1 - min(int(random.expovariate(0.2)), len(kept) - 1)]


def write_message(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody writes: sometimes a reply, sometimes a mention of somebody, or of the bot."""
    author, place = guild.somebody(random), _somewhere(guild, random)
    if author is None or place is None:
        return
    if place.is_thread:
        yield from enter(guild, place.id, author, now)
    content = _talk(random)
    other = guild.somebody(random) if random.random() < 0.1 else None
    if other is not None:
        content += f" <@{other}>"
    elif random.random() < 0.02:
        content += f" <@{world.bot_id}>"
    kept = list(place.history)
    answered = random.choice(kept).id if kept and random.random() < 0.1 else None
    message = messages.write(world, place, author, content, now, reply_to=answered)
    message.data["nonce"] = str(message.id + 1)
    yield messages.create_event(place, message)


def write_by_webhook(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A webhook writes, where there is one: its author is no user."""
    if not guild.webhooks:
        return
    webhook = random.choice(list(guild.webhooks.values()))
    place = guild.place(int(webhook["channel_id"]))
    if place is not None:
        yield messages.create_event(place, messages.write(world, place, 0, _talk(random), now, webhook=webhook))


def write_direct(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody writes to the bot, edits that, reacts, types or deletes: events of shard 0."""
    author = guild.somebody(random)
    if world.directs and random.random() < 0.5:
        place = random.choice(list(world.directs.values()))
        author = int(place.channel["recipients"][0]["id"])
    elif author is not None:
        place = world.direct_with(author)
    if author is None:
        return
    kept, chosen = list(place.history), random.random()
    if not kept or chosen < 0.5:
        yield messages.typing_event(place, author, now)
        yield messages.create_event(place, messages.write(world, place, author, _talk(random), now))
        return
    message = random.choice(kept)
    if chosen < 0.65:
        messages.edit(world, place, message, now, content=_talk(random))
        yield messages.update_event(place, message)
    elif chosen < 0.8:
        yield from _toggle(place, message, author, {"id": None, "name": random.choice(FACES)}, burst=False)
    elif chosen < 0.9:
        messages.delete(place, message.id)
        yield messages.delete_event(place, message.id)
    else:
        yield from messages.pin(place, message, not message.data["pinned"], now)


def edit_message(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A recent message is changed by who wrote it."""
    found = _recent(guild, random)
    if found is not None and found[1].author in guild.members:
        place, message = found
        messages.edit(world, place, message, now, content=message.data["content"][:1000] + " (edited)")
        yield messages.update_event(place, message)


def preview_link(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """The preview of a link comes after the message."""
    for place, message in _previewed(guild, random):
        yield messages.update_event(place, message)


def preview_link_partly(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """The same by an update with few keys, as Discord did in former years; not every library can read it any more."""
    for place, message in _previewed(guild, random):
        yield messages.partial_update_event(place, message, "embeds")


def _previewed(guild: Guild, random: Random) -> Iterator[tuple[Place, Message]]:
    """A recent message that has got a preview just now."""
    found = _recent(guild, random)
    if found is not None and not found[1].data["embeds"]:
        found[1].data["embeds"] = [{"type": "link", "url": "https://example.invalid/", "title": "Example"}]
        yield found


def delete_message(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A recent message is deleted."""
    found = _recent(guild, random)
    if found is not None:
        place, message = found
        messages.delete(place, message.id)
        yield messages.delete_event(place, message.id)


def delete_messages(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Several messages of a channel are deleted at once."""
    found = _recent(guild, random)
    if found is None or len(found[0].history) < 2:
        return
    place = found[0]
    gone = [message.id for message in place.history][-random.randint(2, _BULK) :]
    for id in gone:
        messages.delete(place, id)
    yield messages.bulk_delete_event(place, gone)


def pin_message(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A message is pinned, or no longer."""
    found = _recent(guild, random)
    if found is not None:
        place, message = found
        yield from messages.pin(place, message, not message.data["pinned"], now)


def _emoji(guild: Guild, random: Random) -> Json:
    if guild.emojis and random.random() < 0.3:
        emoji = random.choice(list(guild.emojis.values()))
        return {"id": emoji["id"], "name": emoji["name"]}
    return {"id": None, "name": random.choice(FACES)}


def _toggle(place: Place, message: Message, user: int, emoji: Json, *, burst: bool) -> Iterator[Event]:
    """A reaction is added, or taken back where it was there."""
    event = reactions.react(place, message, user, emoji, burst=burst)
    event = event or reactions.unreact(place, message, user, emoji, burst=burst)
    if event is not None:
        yield event


def react(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody reacts to a recent message, or takes it back; sometimes with a burst."""
    user, found = guild.somebody(random), _recent(guild, random)
    if user is None or found is None:
        return
    reacted = [(key, user) for key, each in found[1].reactions.items() for user in sorted(each.normal)]
    if reacted and random.random() < 0.3:
        key, user = random.choice(reacted)
        event = reactions.unreact(*found, user, found[1].reactions[key].emoji)
        if event is not None:
            yield event
    else:
        yield from _toggle(*found, user, _emoji(guild, random), burst=random.random() < 0.1)


def clear_reactions(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A message loses all its reactions, or all with one emoji."""
    found = next(
        ((place, m) for id in guild.histories if (place := guild.place(id)) for m in place.history if m.reactions), None
    )
    if found is None:
        return
    if random.random() < 0.5:
        yield reactions.clear_reactions(*found)
        return
    event = reactions.clear_emoji(*found, random.choice(list(found[1].reactions.values())).emoji)
    if event is not None:
        yield event


def write_poll(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody asks all the others."""
    author, channels = guild.somebody(random), guild.text_channels()
    place = guild.place(random.choice(channels)) if channels else None
    if author is None or place is None:
        return
    answers = [{"poll_media": {"text": text}} for text in ("yes", "no", "perhaps")]
    poll = {"question": {"text": "Tea?"}, "answers": answers, "allow_multiselect": random.random() < 0.5}
    yield messages.create_event(place, messages.write(world, place, author, "", now, poll=poll))


def vote(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody votes, takes the vote back, or asks a question where there was none to vote on."""
    polls = [
        (place, m) for id in guild.histories if (place := guild.place(id)) for m in place.history if "poll" in m.data
    ]
    user = guild.somebody(random)
    if user is None or not polls or random.random() < 0.2:
        yield from write_poll(world, guild, random, now)
        return
    place, message = random.choice(polls)
    for answer, voters in message.votes.items():
        if user in voters:
            event = reactions.unvote(place, message, user, answer)
            break
    else:
        event = reactions.vote(place, message, user, random.randint(1, len(message.data["poll"]["answers"])))
    if event is not None:
        yield event


def type_something(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody types."""
    user, place = guild.somebody(random), _somewhere(guild, random)
    if user is not None and place is not None:
        yield messages.typing_event(place, user, now)


def whisper(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """The bot says something that only one user sees: a message of a guild's channel that bears no guild."""
    channels = guild.text_channels()
    place = guild.place(random.choice(channels)) if channels else None
    if place is not None:
        message = messages.write(world, place, world.bot_id, _talk(random), now, flags=messages.EPHEMERAL)
        yield messages.create_event(place, message)
