"""The automatic moderation, and the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from ..guild import Guild
from ..messages import Event
from ..payloads import Json
from ..world import World
from .happening import WORDS, of

_MOST = 6
_CHANNEL_UPDATE, _MEMBER_UPDATE = 11, 24


def change_rule(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A rule is made, changed, or deleted."""
    creator, chosen = guild.somebody(random), random.random()
    if creator is None:
        return
    if not guild.rules or (chosen < 0.4 and len(guild.rules) < _MOST):
        rule = _rule(world.ids.live(now), guild, creator, random)
        guild.rules[int(rule["id"])] = rule
        yield "AUTO_MODERATION_RULE_CREATE", rule
        return
    id = random.choice(list(guild.rules))
    if chosen < 0.8:
        guild.rules[id]["enabled"] = not guild.rules[id]["enabled"]
        yield "AUTO_MODERATION_RULE_UPDATE", guild.rules[id]
    else:
        yield "AUTO_MODERATION_RULE_DELETE", guild.rules.pop(id)


def _rule(id: int, guild: Guild, creator: int, random: Random) -> Json:
    return {
        "id": str(id),
        **of(guild),
        "name": f"no {random.choice(WORDS)}",
        "creator_id": str(creator),
        "event_type": 1,
        "trigger_type": 1,
        "trigger_metadata": {"keyword_filter": [random.choice(WORDS)], "regex_patterns": [], "allow_list": []},
        "actions": [{"type": 1, "metadata": {"custom_message": "please don't"}}],
        "enabled": True,
        "exempt_roles": [],
        "exempt_channels": [],
    }


def enforce(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """A rule keeps somebody from saying something: there is no message, so no message's id."""
    user, channels = guild.somebody(random), guild.text_channels()
    enabled = [rule for rule in guild.rules.values() if rule["enabled"]]
    if user is None or not channels or not enabled:
        return
    rule = random.choice(enabled)
    keyword = rule["trigger_metadata"]["keyword_filter"][0]
    yield (
        "AUTO_MODERATION_ACTION_EXECUTION",
        {
            **of(guild),
            "action": rule["actions"][0],
            "rule_id": rule["id"],
            "rule_trigger_type": rule["trigger_type"],
            "user_id": str(user),
            "channel_id": str(random.choice(channels)),
            "content": f"{random.choice(WORDS)} {keyword}",
            "matched_keyword": keyword,
            "matched_content": keyword,
        },
    )


def log(world: World, guild: Guild, random: Random, now: float) -> Iterator[Event]:
    """Somebody did what the audit log keeps; with a reason, or without."""
    user = guild.somebody(random)
    if user is None:
        return
    entry: Json = {"id": str(world.ids.live(now)), "user_id": str(user), **of(guild)}
    if random.random() < 0.5:
        change = {"key": "nick", "new_value": random.choice(WORDS)}
        entry |= {"target_id": str(user), "action_type": _MEMBER_UPDATE, "changes": [change]}
    else:
        change = {"key": "topic", "old_value": "", "new_value": random.choice(WORDS)}
        entry |= {"target_id": str(next(iter(guild.channels))), "action_type": _CHANNEL_UPDATE, "changes": [change]}
        entry["reason"] = "tidying up"
    yield "GUILD_AUDIT_LOG_ENTRY_CREATE", entry
