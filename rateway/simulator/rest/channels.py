"""Channels as REST shows and changes them, direct ones and threads too; pins; typing."""

from __future__ import annotations

from typing import Any

from ..hub import Hub
from ..world.channels import OBFUSCATED
from ..world.deeds import UnknownChannel
from ..world.payloads import Json
from ..world.places import Place
from .answers import NO_CONTENT, Answer, json_answer
from .buckets import Route
from .calls import Call
from .errors import refusal
from .fields import flag, text, whole

_NO_TEXT = (4, 15, 16)
"""Types of channels without messages: categories, forums, media channels."""


def place_of(hub: Hub, id: int, *, text: bool = False) -> Place:
    """A channel that the bot may see.

    :param text: it must be one for messages.
    :raises ApiError: 50001 for one the bot may not see, 50008 for one that holds no messages.
    :raises UnknownChannel: when there is none.
    """
    place = hub.world.place(id)
    if place is None:
        for guild in hub.world.guilds.values():
            channel = guild.channels.get(id)
            if channel is not None and channel["flags"] & OBFUSCATED:
                raise refusal(50001)
        raise UnknownChannel(id)
    if text and place.type in _NO_TEXT:
        raise refusal(50008)
    return place


class Channels:
    """``/channels/{id}``, its pins, and typing."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        pin = Route(method="PUT", template="/channels/{}/pins/{}", limit=5, per=4.0, perform=self.pin)
        return [
            Route(method="GET", template="/channels/{}", limit=10, per=5.0, perform=self.channel),
            Route(
                method="PATCH",
                template="/channels/{}",
                limit=5,
                per=15.0,
                perform=self.change,
                sub_limited=("name", "topic"),
            ),
            Route(method="POST", template="/channels/{}/typing", limit=5, per=5.0, perform=self.type),
            Route(method="GET", template="/channels/{}/pins", limit=1, per=5.0, perform=self.pins),
            pin,
            Route(
                method="DELETE", template="/channels/{}/pins/{}", limit=5, per=4.0, bucket=pin.hash, perform=self.unpin
            ),
        ]

    def _place(self, call: Call, *, text: bool = False) -> Place:
        return place_of(self._hub, call.id(0, "channel_id"), text=text)

    def channel(self, call: Call) -> Answer:
        return json_answer(200, _shown(self._place(call)))

    def change(self, call: Call) -> Answer:
        """Change what the body names: CHANNEL_UPDATE, or THREAD_UPDATE; other keys are ignored."""
        place, fields = self._place(call), call.body.fields()
        if place.guild is None:
            raise refusal(50003)
        changes: Json = {}
        for name, value in fields.items():
            read = _CHANGEABLE.get(name)
            if read is not None and name in place.channel:
                changes[name] = read(value, name)
        metadata = place.channel.get("thread_metadata")
        if metadata is not None:
            switches = {name: flag(fields[name], name) for name in ("archived", "locked") if name in fields}
            changes["thread_metadata"] = {**metadata, **switches}
        place.channel.update(changes)
        self._hub.tell("THREAD_UPDATE" if place.is_thread else "CHANNEL_UPDATE", _shown(place))
        return json_answer(200, _shown(place))

    def type(self, call: Call) -> Answer:
        place = self._place(call, text=True)
        self._hub.deeds.start_typing(place.id)
        return NO_CONTENT

    def pins(self, call: Call) -> Answer:
        """The pinned messages among those remembered, newest first."""
        messages = self._hub.deeds.history(self._place(call, text=True).id, limit=1000)
        return json_answer(200, [message for message in messages if message["pinned"]])

    def pin(self, call: Call) -> Answer:
        self._hub.deeds.pin_message(self._place(call, text=True).id, call.id(1, "message_id"))
        return NO_CONTENT

    def unpin(self, call: Call) -> Answer:
        self._hub.deeds.pin_message(self._place(call, text=True).id, call.id(1, "message_id"), pinned=False)
        return NO_CONTENT


def _shown(place: Place) -> Json:
    return {**place.channel, **({} if place.guild is None else {"guild_id": str(place.guild.id)})}


def _name(value: Any, name: str) -> str:
    return text(value, name, 100, lowest=1)


def _topic(value: Any, name: str) -> str | None:
    return None if value is None else text(value, name, 1024)


def _count(highest: int) -> Any:
    def read(value: Any, name: str) -> int:
        return whole(value, name, 0, highest)

    return read


_CHANGEABLE: dict[str, Any] = {
    "name": _name,
    "topic": _topic,
    "nsfw": flag,
    "position": _count(1000),
    "rate_limit_per_user": _count(21_600),
    "bitrate": _count(384_000),
    "user_limit": _count(10_000),
}
