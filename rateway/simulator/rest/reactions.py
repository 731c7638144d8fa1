"""Reactions by REST."""

from __future__ import annotations

from ..hub import Hub
from ..world.deeds import UnknownUser
from ..world.places import Place
from .answers import NO_CONTENT, Answer, json_answer
from .bodies import snowflake
from .buckets import Route
from .calls import Call
from .channels import place_of
from .errors import refusal

_LONGEST = 32
"""Characters that an emoji written in Unicode may have; flags of regions have many."""


class Reactions:
    """``/channels/{id}/messages/{id}/reactions`` and what is below it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        """Whatever changes reactions shares one bucket: once in a quarter of a second."""
        base, shared = "/channels/{}/messages/{}/reactions", "reactions"
        changing = (
            ("PUT", f"{base}/{{}}/@me", self.add),
            ("DELETE", f"{base}/{{}}/@me", self.remove_own),
            ("DELETE", f"{base}/{{}}/{{}}", self.remove),
            ("DELETE", f"{base}/{{}}", self.clear_emoji),
            ("DELETE", base, self.clear),
        )
        hash = Route(template=shared).hash
        return [
            *(
                Route(method=method, template=template, limit=1, per=0.25, bucket=hash, perform=perform)
                for method, template, perform in changing
            ),
            Route(method="GET", template=f"{base}/{{}}", limit=5, per=5.0, perform=self.reactors),
        ]

    def _at(self, call: Call) -> tuple[Place, int]:
        """The channel, and the message's id."""
        return place_of(self._hub, call.id(0, "channel_id"), text=True), call.id(1, "message_id")

    def _emoji(self, call: Call) -> str:
        """The emoji of the path: a character, or ``name:id`` of one that the bot can use."""
        emoji = call.text(2)
        name, colon, id = emoji.partition(":")
        if colon:
            known = id.isascii() and id.isdigit()
            if known and any(int(id) in guild.emojis for guild in self._hub.world.guilds.values()):
                return f"{name}:{id}"
            raise refusal(10014)
        if (
            not emoji
            or len(emoji) > _LONGEST
            or any(character.isascii() and character.isalpha() for character in emoji)
        ):
            raise refusal(10014)
        return emoji

    def add(self, call: Call) -> Answer:
        """MESSAGE_REACTION_ADD."""
        place, message = self._at(call)
        self._hub.deeds.add_reaction(place.id, message, self._emoji(call))
        return NO_CONTENT

    def remove_own(self, call: Call) -> Answer:
        """MESSAGE_REACTION_REMOVE."""
        place, message = self._at(call)
        self._hub.deeds.remove_reaction(place.id, message, self._emoji(call))
        return NO_CONTENT

    def remove(self, call: Call) -> Answer:
        """Another's; not in direct channels."""
        place, message = self._at_guild(call)
        user = snowflake("user_id", call.parts[3])
        if user not in self._hub.world.users:
            raise UnknownUser(user)
        self._hub.deeds.remove_reaction(place.id, message, self._emoji(call), user)
        return NO_CONTENT

    def clear_emoji(self, call: Call) -> Answer:
        """MESSAGE_REACTION_REMOVE_EMOJI."""
        place, message = self._at_guild(call)
        self._hub.deeds.remove_reactions(place.id, message, self._emoji(call))
        return NO_CONTENT

    def clear(self, call: Call) -> Answer:
        """MESSAGE_REACTION_REMOVE_ALL."""
        place, message = self._at_guild(call)
        self._hub.deeds.remove_reactions(place.id, message)
        return NO_CONTENT

    def _at_guild(self, call: Call) -> tuple[Place, int]:
        place, message = self._at(call)
        if place.guild is None:
            raise refusal(50003)
        return place, message

    def reactors(self, call: Call) -> Answer:
        """Who reacted with the emoji, by rising id."""
        place, message = self._at(call)
        limit, after = call.query.number("limit", 25, 1, 100), call.query.snowflake("after") or 0
        users = self._hub.deeds.reactors(place.id, message, self._emoji(call))
        return json_answer(200, [user for user in users if int(user["id"]) > after][:limit])
