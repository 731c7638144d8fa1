"""What the cache answers about a guild, against what the simulated Discord has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import ujson

from rateway.simulator.records import Sent
from rateway.simulator.world.guild import Guild
from tests.integration.worker import Worker

Question = tuple[str, tuple[int, ...], Mapping[str, Any] | None]
"""Type of query, arguments, and the fields that the answer must have; None if there must be no answer."""


def questions(guild: Guild, gone: set[int]) -> Iterator[Question]:
    """All that can be asked about a guild and the things in it.

    :param gone: users who were members once.
    """
    yield "Guild", (guild.id,), guild.fields
    for id, role in guild.roles.items():
        yield "Role", (id,), role
    for id, channel in guild.channels.items():
        yield "GuildChannel", (id,), channel
    for id, member in guild.members.items():
        yield "Member", (guild.id, id), member
        yield "VoiceState", (id, guild.id), guild.voice_states.get(id)
    for id in gone - set(guild.members):
        yield "Member", (guild.id, id), None


def difference(asked: Question, answer: Any) -> str | None:
    """In words what of an answer isn't as it should be."""
    kind, arguments, expected = asked
    where = f"{kind} {', '.join(map(str, arguments))}"
    if expected is None:
        return None if answer is None else f"{where} should be gone, but is {_short(answer)}"
    if answer is None:
        return f"{where} is not in the cache"
    for key, value in expected.items():
        if answer.get(key) != value:
            return f"{where}: {key} should be {_short(value)}, but is {_short(answer.get(key))}"
    return None


def members_gone(events: Iterable[Sent]) -> dict[int, set[int]]:
    """Users who left each guild; they may have come back."""
    gone: dict[int, set[int]] = {}
    for event in events:
        if event.name == "GUILD_MEMBER_REMOVE":
            d = ujson.loads(event.d)
            gone.setdefault(int(d["guild_id"]), set()).add(int(d["user"]["id"]))
    return gone


async def check_guild(worker: Worker, cluster: int, guild: Guild, gone: set[int]) -> tuple[int, list[str]]:
    """Ask all of it: how much that was, and the differences in words.

    :param cluster: whose inbox is asked: any will do.
    """
    all_questions = list(questions(guild, gone))
    found = [difference(asked, await worker.query(cluster, asked[0], *asked[1])) for asked in all_questions]
    return len(all_questions), [words for words in found if words is not None]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
