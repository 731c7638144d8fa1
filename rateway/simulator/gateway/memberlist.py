"""Op 8: a guild's members in chunks, of any number, without keeping others waiting.

Large lists and searches are gone through in slices, between which everything else goes on: heartbeats, other
connections, and the world itself. Who joins meanwhile is told by GUILD_MEMBER_ADD, who leaves is not in later chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import frozen

from ..hub import PAUSE, Hub, encode
from ..world.guild import Guild
from ..world.payloads import Json
from .rules import CHUNK_SIZE
from .sessions import GatewaySession

PREFIX_LIMIT = 100
"""Members that a search, or a list of ids, may bring."""

_LOOKED_AT = 2000
"""Names that a search looks at in one go."""


@frozen
class Request:
    """Who asks, for which guild, and what each chunk bears."""

    hub: Hub
    session: GatewaySession
    guild: Guild
    nonce: str | None
    presences: bool

    def chunk(self, ids: list[int], index: int, count: int, missing: list[object]) -> None:
        """One GUILD_MEMBERS_CHUNK; those of the ids who aren't there any more are left out."""
        guild = self.guild
        members = [guild.members[id] for id in ids if id in guild.members]
        chunk: Json = {
            "guild_id": str(guild.id),
            "chunk_index": index,
            "chunk_count": count,
            "members": [{key: value for key, value in member.items() if key != "banner"} for member in members],
        }
        if self.nonce is not None:
            chunk["nonce"] = self.nonce
        if self.presences:
            chunk["presences"] = [guild.presences[id] for id in ids if id in guild.presences]
        if missing:
            chunk["not_found"] = missing
        self.hub.deliver(self.session, "GUILD_MEMBERS_CHUNK", encode(chunk))

    def is_open(self) -> bool:
        """Whether somebody may still want the answer, and there is one."""
        hub = self.hub
        alive = hub.sessions.find(self.session.id, hub.world_time()) is not None
        return alive and not self.guild.unavailable and hub.world.guilds.get(self.guild.id) is self.guild


def send_some(request: Request, ids: list[int], missing: list[object]) -> None:
    """The members with these ids, and the ids of nobody: one chunk."""
    request.chunk(ids, 0, 1, missing)


def send_all(request: Request) -> None:
    """The whole list: a chunk at a time."""
    members = request.guild.members
    joined = members.joined()
    places = members.places(joined)
    count = max(1, -(-places // CHUNK_SIZE))

    def step(index: int) -> None:
        if not request.is_open():
            return
        ids = members.at_places(index * CHUNK_SIZE, (index + 1) * CHUNK_SIZE, joined)
        request.chunk(ids, index, count, [])
        if index + 1 < count:
            request.hub.later(PAUSE, lambda: step(index + 1))

    step(0)


def search(request: Request, prefix: str, limit: int) -> None:
    """Members whose user name begins so, whatever the case of its letters: one chunk."""
    guild, users = request.guild, request.hub.world.users
    joined = guild.members.joined()
    places = guild.members.places(joined)
    prefix = prefix.lower()

    def matches() -> Iterator[int | None]:
        """The ids found; None between two slices."""
        for start in range(0, places, _LOOKED_AT):
            for id in guild.members.at_places(start, start + _LOOKED_AT, joined):
                if users.username(id).lower().startswith(prefix):
                    yield id
            if start + _LOOKED_AT < places:
                yield None

    _gather(request, matches(), limit, lambda ids: request.chunk(ids, 0, 1, []))


def _gather(request: Request, matches: Iterator[int | None], limit: int, then: Callable[[list[int]], None]) -> None:
    """Go through the matches slice by slice, until there are enough or no more."""
    found: list[int] = []

    def step() -> None:
        if not request.is_open():
            return
        for id in matches:
            if id is None:
                request.hub.later(PAUSE, step)
                return
            found.append(id)
            if len(found) == limit:
                break
        then(found)

    step()
