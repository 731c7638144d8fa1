"""Integrations, webhooks and invites: what the gateway tells of only when it changes."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from ..guild import Guild
from ..messages import Event
from ..payloads import Json, iso
from ..world import World
from .happening import of

_MOST = 6


def change_integration(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """An application is added, changed, or removed; a signal comes with it."""
    chosen = random.random()
    if not guild.integrations or (chosen < 0.4 and len(guild.integrations) < _MOST):
        id = world.ids.live(now)
        guild.integrations[id] = _integration(id)
        yield "INTEGRATION_CREATE", {**guild.integrations[id], **of(guild)}
    elif chosen < 0.7:
        integration = guild.integrations[random.choice(list(guild.integrations))]
        integration["enabled"] = not integration["enabled"]
        yield "INTEGRATION_UPDATE", {**integration, **of(guild)}
    else:
        integration = guild.integrations.pop(random.choice(list(guild.integrations)))
        head = {"id": integration["id"], **of(guild)}
        yield "INTEGRATION_DELETE", {**head, "application_id": integration["application"]["id"]}
    yield "GUILD_INTEGRATIONS_UPDATE", of(guild)


def _integration(id: int) -> Json:
    # "summary" is no longer documented, and always empty.
    application = {"id": str(id + 1), "name": "helper", "icon": None, "description": "", "summary": ""}
    return {
        "id": str(id),
        "name": "helper",
        "type": "discord",
        "enabled": True,
        "account": {"id": str(id + 1), "name": "helper"},
        "application": application,
        "scopes": ["bot"],
    }


def change_webhook(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A channel's webhook is made or deleted: only that something changed is told."""
    channels = guild.text_channels()
    if guild.webhooks and (random.random() < 0.4 or len(guild.webhooks) >= _MOST):
        webhook = guild.webhooks.pop(random.choice(list(guild.webhooks)))
    elif channels:
        id = world.ids.live(now)
        webhook = guild.webhooks[id] = _webhook(id, guild, random.choice(channels))
    else:
        return
    yield "WEBHOOKS_UPDATE", {**of(guild), "channel_id": webhook["channel_id"]}


def _webhook(id: int, guild: Guild, channel: int) -> Json:
    """One that somebody else made: its token is theirs alone."""
    head = {"id": str(id), "type": 1, **of(guild), "channel_id": str(channel)}
    return {**head, "name": "CI", "avatar": None, "application_id": None}


def change_invite(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """An invite is made, or deleted."""
    inviter, channels = guild.somebody(random), guild.text_channels()
    if guild.invites and (random.random() < 0.4 or len(guild.invites) >= _MOST):
        invite = guild.invites.pop(random.choice(list(guild.invites)))
        yield "INVITE_DELETE", {"channel_id": invite["channel_id"], **of(guild), "code": invite["code"]}
    elif inviter is not None and channels:
        code = f"{random.getrandbits(40):010x}"
        guild.invites[code] = {
            "channel_id": str(random.choice(channels)),
            "code": code,
            "created_at": iso(now),
            **of(guild),
            "inviter": world.users[inviter],
            "max_age": 86_400,
            "max_uses": 0,
            "temporary": False,
            "uses": 0,
            "expires_at": iso(now + 86_400),
        }
        yield "INVITE_CREATE", guild.invites[code]


def change_permissions(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody says who may use the bot's commands."""
    allowed = {"id": str(guild.id), "type": 1, "permission": random.random() < 0.5}
    head = {"id": str(world.bot_id), "application_id": str(world.bot_id), **of(guild)}
    yield "APPLICATION_COMMAND_PERMISSIONS_UPDATE", {**head, "permissions": [allowed]}
