"""What is done in the world by somebody from outside: by REST, by a test, by an action.

Each deed changes the world and tells the sessions it concerns. Channels are looked up by their id, whether they are of
a guild, threads or direct channels. Those of a guild in outage are unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import messages, reactions
from .messages import Event
from .payloads import Json
from .places import Message, Place

if TYPE_CHECKING:
    from ..hub import Hub


_WITHOUT_MESSAGES = {4, 14, 15, 16}
"""Types of channels: categories, directories, forums, media."""


class UnknownChannel(LookupError):
    """There is no channel with this id (Discord's code 10003)."""


class NotText(ValueError):
    """The channel holds no messages: a category or a forum (Discord's code 50008)."""


class UnknownMessage(LookupError):
    """The channel remembers no message with this id (Discord's code 10008)."""


class UnknownUser(LookupError):
    """There is no user with this id (Discord's code 10013)."""


class Deeds:
    """The deeds that a hub offers (``hub.deeds``)."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    # --- looking

    def channel(self, channel_id: int) -> Json:
        """The channel object, with ``guild_id`` where it has one.

        :raises UnknownChannel: also where the bot may not see the channel.
        """
        place = self._place(channel_id)
        return {**place.channel, **messages.of_guild(place)}

    def message(self, channel_id: int, message_id: int) -> Json:
        """A message with its reactions.

        :raises UnknownChannel, UnknownMessage: if there is none.
        """
        _, message = self._message(channel_id, message_id)
        return messages.shown(self._hub.world, message)

    def history(
        self,
        channel_id: int,
        *,
        limit: int = 50,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
    ) -> list[Json]:
        """The messages of a channel, newest first, as GET /channels/{id}/messages lists them."""
        kept = list(self._place(channel_id).history)
        if before is not None:
            kept = [message for message in kept if message.id < before][-limit:]
        elif after is not None:
            kept = [message for message in kept if message.id > after][:limit]
        elif around is not None:
            older = [message for message in kept if message.id < around]
            newer = [message for message in kept if message.id >= around]
            kept = older[max(0, len(older) - limit // 2) :] + newer[: limit - limit // 2]
        else:
            kept = kept[-limit:]
        return [messages.shown(self._hub.world, message) for message in reversed(kept)]

    # --- messages

    def post_message(
        self,
        channel_id: int,
        content: str = "",
        *,
        author: int | None = None,
        webhook: Mapping[str, Any] | None = None,
        reply_to: int | None = None,
        poll: Json | None = None,
        flags: int = 0,
        **fields: Any,
    ) -> Json:
        """A new message: MESSAGE_CREATE. The message object is returned, as REST answers with it.

        :param author: the user's id; the bot by default.
        :param webhook: ``id``, and perhaps ``name``, ``avatar``, ``application_id``: it is the author instead.
        :param reply_to: the id of the message answered.
        :param poll: as the request has it.
        :param flags: 64 makes it ephemeral: it is told, but the channel does not remember it.
        :param fields: of the message object as they are: ``embeds``, ``components``, ``nonce``, ``tts`` …
        :raises UnknownChannel, UnknownUser: if there is no such channel or author.
        :raises NotText: if the channel holds no messages.
        """
        world = self._hub.world
        place = self._place(channel_id)
        if place.type in _WITHOUT_MESSAGES:
            raise NotText(channel_id)
        by = world.bot_id if author is None else author
        if by not in world.users:
            raise UnknownUser(by)
        message = messages.write(
            world,
            place,
            by,
            content,
            self._hub.world_time(),
            webhook=webhook,
            reply_to=reply_to,
            poll=poll,
            flags=flags,
            **fields,
        )
        self._tell(place, messages.create_event(place, message))
        return messages.shown(world, message)

    def edit_message(self, channel_id: int, message_id: int, **changes: Any) -> Json:
        """Change keys of a message: MESSAGE_UPDATE. The whole message is returned."""
        place, message = self._message(channel_id, message_id)
        messages.edit(self._hub.world, place, message, self._hub.world_time(), **changes)
        self._tell(place, messages.update_event(place, message))
        return messages.shown(self._hub.world, message)

    def delete_message(self, channel_id: int, message_id: int) -> None:
        """MESSAGE_DELETE."""
        place, message = self._message(channel_id, message_id)
        messages.delete(place, message.id)
        self._tell(place, messages.delete_event(place, message.id))

    def delete_messages(self, channel_id: int, message_ids: Iterable[int]) -> None:
        """MESSAGE_DELETE_BULK; ids that the channel doesn't know are passed over, as Discord does."""
        place = self._place(channel_id)
        gone = [id for id in dict.fromkeys(message_ids) if messages.delete(place, id)]
        if gone:
            self._tell(place, messages.bulk_delete_event(place, gone))

    # --- reactions, typing

    def add_reaction(
        self, channel_id: int, message_id: int, emoji: str | Mapping[str, Any], user: int | None = None
    ) -> None:
        """MESSAGE_REACTION_ADD, unless the user (the bot by default) has reacted so before.

        :param emoji: a character, ``name:id``, or an emoji object.
        """
        place, message = self._message(channel_id, message_id)
        self._tell(place, reactions.react(place, message, self._user(user), reactions.emoji_of(emoji)))

    def remove_reaction(
        self, channel_id: int, message_id: int, emoji: str | Mapping[str, Any], user: int | None = None
    ) -> None:
        """MESSAGE_REACTION_REMOVE, if there was such a reaction."""
        place, message = self._message(channel_id, message_id)
        self._tell(place, reactions.unreact(place, message, self._user(user), reactions.emoji_of(emoji)))

    def remove_reactions(self, channel_id: int, message_id: int, emoji: str | Mapping[str, Any] | None = None) -> None:
        """MESSAGE_REACTION_REMOVE_ALL, or with an emoji MESSAGE_REACTION_REMOVE_EMOJI."""
        place, message = self._message(channel_id, message_id)
        if emoji is None:
            self._tell(place, reactions.clear_reactions(place, message))
        else:
            self._tell(place, reactions.clear_emoji(place, message, reactions.emoji_of(emoji)))

    def reactors(self, channel_id: int, message_id: int, emoji: str | Mapping[str, Any]) -> list[Json]:
        """The users who reacted with the emoji, by rising id."""
        _, message = self._message(channel_id, message_id)
        reaction = message.reactions.get(reactions.key_of(reactions.emoji_of(emoji)))
        users = self._hub.world.users
        return [] if reaction is None else [users[id] for id in sorted(reaction.normal | reaction.burst)]

    def start_typing(self, channel_id: int, user: int | None = None) -> None:
        """TYPING_START."""
        place, who = self._place(channel_id), self._user(user)
        self._tell(place, messages.typing_event(place, who, self._hub.world_time()))

    def pin_message(self, channel_id: int, message_id: int, *, pinned: bool = True) -> None:
        """Pin or unpin: MESSAGE_UPDATE, and CHANNEL_PINS_UPDATE."""
        place, message = self._message(channel_id, message_id)
        for event in messages.pin(place, message, pinned, self._hub.world_time()):
            self._tell(place, event)

    def open_direct(self, user_id: int) -> Json:
        """The direct channel with a user, as POST /users/@me/channels answers; nothing is told.

        :raises UnknownUser: if there is no such user.
        """
        return self._hub.world.direct_with(self._user(user_id)).channel

    # ---

    def _place(self, channel_id: int) -> Place:
        place = self._hub.world.place(channel_id)
        if place is None:
            raise UnknownChannel(channel_id)
        return place

    def _message(self, channel_id: int, message_id: int) -> tuple[Place, Message]:
        place = self._place(channel_id)
        message = place.history.get(message_id)
        if message is None:
            raise UnknownMessage(message_id)
        return place, message

    def _user(self, user: int | None) -> int:
        world = self._hub.world
        if user is None:
            return world.bot_id
        if user not in world.users:
            raise UnknownUser(user)
        return user

    def _tell(self, place: Place, event: Event | None) -> None:
        if event is not None:
            self._hub.tell(*event)
