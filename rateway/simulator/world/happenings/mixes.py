"""How often what happens: families of happenings, and mixes of them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from math import isfinite

from . import (
    application,
    chat,
    connections,
    furnishings,
    guilds,
    moderation,
    people,
    plans,
    rooms,
    threads,
    voice,
)
from .happening import Happening

FAMILIES: dict[str, dict[Happening, float]] = {
    "message": {chat.write_message: 1},
    "edit": {chat.edit_message: 3, chat.preview_link: 1},
    "partial-edit": {chat.preview_link_partly: 1},
    "delete": {chat.delete_message: 5, chat.delete_messages: 1},
    "reaction": {chat.react: 20, chat.clear_reactions: 1},
    "poll": {chat.vote: 1},
    "pin": {chat.pin_message: 1},
    "typing": {chat.type_something: 1},
    "direct": {chat.write_direct: 1},
    "whisper": {chat.whisper: 1},
    "presence": {people.change_presence: 1},
    "voice": {voice.move_in_voice: 12, voice.set_voice_status: 1, voice.send_effect: 1},
    "member": {
        people.join: 15,
        people.leave: 10,
        people.change_member: 15,
        people.change_user: 5,
        people.join_again: 1,
    },
    "ban": {people.ban: 1},
    "role": {furnishings.change_role: 1},
    "channel": {
        rooms.change_channel: 5,
        rooms.create_channel: 2,
        rooms.delete_channel: 1,
        rooms.hide_channel: 1,
    },
    "thread": {
        threads.open_thread: 4,
        threads.join_thread: 5,
        threads.archive: 3,
        threads.change_thread: 2,
        threads.delete_thread: 1,
        threads.sync_threads: 1,
    },
    "guild": {guilds.change_guild: 1},
    "expression": {
        furnishings.change_emojis: 2,
        furnishings.change_stickers: 1,
        furnishings.change_sounds: 1,
    },
    "stage": {plans.change_stage: 1},
    "event": {plans.change_event: 1, plans.attend: 3},
    "integration": {connections.change_integration: 1, connections.change_permissions: 1},
    "webhook": {connections.change_webhook: 1, chat.write_by_webhook: 5},
    "invite": {connections.change_invite: 1},
    "automod": {moderation.change_rule: 1, moderation.enforce: 2},
    "audit": {moderation.log: 1},
    "interaction": {application.use_command: 5, application.use_elsewhere: 1},
    "payment": {application.pay: 1, application.subscribe: 1},
    "bot": {application.change_bot: 1},
    "outage": {guilds.fail: 1},
    "join": {guilds.come_and_go: 1},
}
"""Families by name, and what happens in each how often."""

PRESETS: dict[str, dict[str, float]] = {
    "realistic": {
        "message": 30,
        "presence": 35,
        "typing": 17,
        "reaction": 5,
        "voice": 4,
        "edit": 2.5,
        "member": 2,
        "delete": 1,
        "interaction": 1,
        "webhook": 0.5,
        "thread": 0.5,
        "direct": 0.5,
        "audit": 0.3,
        "channel": 0.15,
        "role": 0.1,
        "poll": 0.1,
        "pin": 0.1,
        "expression": 0.1,
        "event": 0.1,
        "stage": 0.05,
        "automod": 0.1,
        "ban": 0.05,
        "invite": 0.05,
        "guild": 0.05,
        "integration": 0.02,
        "payment": 0.02,
    },
    "messages": {
        "message": 70,
        "typing": 8,
        "presence": 7,
        "reaction": 5,
        "edit": 2,
        "delete": 1,
        "voice": 3,
        "member": 3.5,
        "channel": 0.3,
        "role": 0.2,
    },
    "everything": dict.fromkeys(FAMILIES, 1.0) | {"message": 6.0, "outage": 0.1, "join": 0.1, "bot": 0.1},
}
"""``realistic``: what a bot with all intents sees. ``messages``: mostly messages. ``everything``: each event there is,
with guilds that fail, are joined and left."""


def parse_mix(mix: str | Mapping[str, float]) -> dict[str, float]:
    """The weights of families: of a preset, of text such as ``message=5,presence=30``, or as they are.

    :raises ValueError: with a sentence saying what isn't known.
    """
    if isinstance(mix, str):
        if mix in PRESETS:
            return dict(PRESETS[mix])
        weights: dict[str, float] = {}
        for part in mix.split(","):
            name, equals, weight = part.partition("=")
            if not equals:
                raise ValueError(f"mix: {part.strip()!r} is neither a preset ({', '.join(PRESETS)}) nor FAMILY=WEIGHT")
            weights[name.strip()] = _weight(name.strip(), weight)
    else:
        weights = {name: _weight(name, weight) for name, weight in mix.items()}
    for name in weights:
        if name not in FAMILIES:
            nearest = get_close_matches(name, FAMILIES, 1, 0.0)[0]
            raise ValueError(f"mix: {name!r} is no family of events (the nearest is {nearest})")
    if not any(weights.values()):
        raise ValueError("mix: no family has a weight above 0")
    return weights


def _weight(name: str, value: object) -> float:
    try:
        weight = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        weight = -1.0
    if weight < 0 or not isfinite(weight):
        raise ValueError(f"mix: the weight of {name!r} is {value!r}, no number from 0 up")
    return weight


def happenings(mix: str | Mapping[str, float]) -> dict[Happening, float]:
    """The weight of each happening in a mix."""
    found: dict[Happening, float] = {}
    for name, weight in parse_mix(mix).items():
        family = FAMILIES[name]
        whole = sum(family.values())
        for happening, share in family.items():
            if weight:
                found[happening] = found.get(happening, 0.0) + weight * share / whole
    return found


MIX = happenings("realistic")
"""The default."""
