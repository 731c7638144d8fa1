"""What concerns the bot's application: interactions, entitlements, subscriptions, and the bot's own user."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from ..guild import Guild
from ..ids import guild_id
from ..messages import Event, shown
from ..payloads import Json, current_user, iso, without_user
from ..world import World
from .happening import WORDS, of

_MONTH = 30 * 86_400
_MOST = 20
_PERMISSIONS = "2248473465835073"
_ELSEWHERE = 1_000_003
"""The number of a guild that the bot will never be in."""


def use_command(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody uses a slash command on somebody, has it completed, presses a button, or sends in a form."""
    user, other, channels = guild.somebody(random), guild.somebody(random), guild.text_channels()
    if user is None or other is None or not channels:
        return
    channel = guild.channels[random.choice(channels)]
    d = _interaction(world, random, now) | {
        **of(guild),
        "guild": {"id": str(guild.id), "locale": "en-US", "features": guild.fields["features"]},
        "channel_id": channel["id"],
        "channel": {**channel, **of(guild), "permissions": _PERMISSIONS},
        "member": {**guild.members[user], "permissions": _PERMISSIONS},
        "guild_locale": "en-US",
        "authorizing_integration_owners": {"0": str(guild.id)},
        "context": 0,
    }
    written = guild.histories.get(int(channel["id"]))
    own = next((m for m in written if m.author == world.bot_id), None) if written else None
    kind = random.choice((2, 2, 4, 5)) if own is None else 3
    d["type"] = kind
    if kind == 3 and own is not None:
        d |= {"message": shown(world, own), "data": {"custom_id": "more", "component_type": 2}}
    elif kind == 5:
        text = {"type": 4, "custom_id": "why", "value": random.choice(WORDS)}
        d["data"] = {"custom_id": "form", "components": [{"type": 1, "components": [text]}]}
    elif kind == 4:
        d["data"] = _command([{"name": "what", "type": 3, "value": "r", "focused": True}])
    else:
        member = {k: v for k, v in without_user(guild.members[other]).items() if k not in ("deaf", "mute")}
        resolved = {
            "users": {str(other): world.users[other]},
            "members": {str(other): {**member, "pending": False, "permissions": _PERMISSIONS}},
        }
        d["data"] = {**_command([{"name": "who", "type": 6, "value": str(other)}]), "resolved": resolved}
    yield "INTERACTION_CREATE", d


def _command(options: list[Json]) -> Json:
    return {"id": "130000000000000001", "name": "greet", "type": 1, "options": options}


def _interaction(world: World, random: Random, now: float) -> Json:
    return {
        "id": str(world.ids.live(now)),
        "application_id": str(world.bot_id),
        "type": 2,
        "version": 1,
        "token": f"interaction-{random.getrandbits(256):064x}",
        "app_permissions": "8",
        "locale": "de",
        "entitlements": [],
        "attachment_size_limit": 10_485_760,
    }


def use_elsewhere(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody who has the application themselves uses it where the bot is not: in an unknown guild, or in private."""
    user = guild.somebody(random)
    if user is None:
        return
    d = _interaction(world, random, now)
    d |= {"authorizing_integration_owners": {"1": str(user)}, "data": _command([])}
    if random.random() < 0.5:
        channel = world.direct_with(user).channel
        where = {"id": channel["id"], "type": 1, "last_message_id": channel["last_message_id"], "flags": 0}
        d |= {"channel_id": channel["id"], "channel": where, "user": world.users[user], "context": 1}
    else:
        id = guild_id(_ELSEWHERE + random.randrange(1000))
        channel_id = str(id + 1)
        where = {
            "id": channel_id,
            "type": 0,
            "name": "elsewhere",
            "guild_id": str(id),
            "parent_id": None,
            "position": 0,
        }
        where |= {"permissions": _PERMISSIONS, "last_message_id": None, "nsfw": False, "topic": None, "flags": 0}
        d |= {
            "guild_id": str(id),
            "guild": {"id": str(id), "locale": "fr", "features": []},
            "channel_id": channel_id,
            "channel": {**where, "rate_limit_per_user": 0},
            "member": {**guild.members[user], "roles": [], "nick": None, "permissions": _PERMISSIONS},
            "guild_locale": "fr",
            "context": 0,
        }
    yield "INTERACTION_CREATE", d


def pay(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody buys, uses up, or is refunded something: events of shard 0."""
    user, kept, chosen = guild.somebody(random), list(world.entitlements), random.random()
    if user is None:
        return
    if not kept or (chosen < 0.5 and len(kept) < _MOST):
        id = world.ids.live(now)
        world.entitlements[id] = {
            "id": str(id),
            "sku_id": "140000000000000001",
            "application_id": str(world.bot_id),
            "user_id": str(user),
            "type": 8,
            "deleted": False,
            "starts_at": iso(now),
            "ends_at": None,
            "consumed": False,
        }
        yield "ENTITLEMENT_CREATE", world.entitlements[id]
    elif chosen < 0.8:
        entitlement = world.entitlements[random.choice(kept)]
        entitlement |= {"consumed": True, "ends_at": iso(now)}
        yield "ENTITLEMENT_UPDATE", entitlement
    else:
        yield "ENTITLEMENT_DELETE", world.entitlements.pop(random.choice(kept)) | {"deleted": True}


def subscribe(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A subscription begins, is going to end, or is gone."""
    user, kept, chosen = guild.somebody(random), list(world.subscriptions), random.random()
    if user is None:
        return
    if not kept or (chosen < 0.5 and len(kept) < _MOST):
        id = world.ids.live(now)
        world.subscriptions[id] = {
            "id": str(id),
            "user_id": str(user),
            "sku_ids": ["140000000000000002"],
            "entitlement_ids": [str(id + 1)],
            "renewal_sku_ids": None,
            "current_period_start": iso(now),
            "current_period_end": iso(now + _MONTH),
            "status": 0,
            "canceled_at": None,
        }
        yield "SUBSCRIPTION_CREATE", world.subscriptions[id]
    elif chosen < 0.8:
        subscription = world.subscriptions[random.choice(kept)]
        subscription |= {"status": 2, "canceled_at": iso(now)}
        yield "SUBSCRIPTION_UPDATE", subscription
    else:
        yield "SUBSCRIPTION_DELETE", world.subscriptions.pop(random.choice(kept)) | {"status": 1}


def change_bot(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """The bot gets another picture: told once for the user, and once for its member in each guild."""
    world.bot["avatar"] = f"{random.getrandbits(128):032x}"
    yield "USER_UPDATE", current_user(world.bot)
    for each in world.guilds.values():
        if not each.unavailable:
            yield "GUILD_MEMBER_UPDATE", {**each.members[world.bot_id], **of(each)}
