"""Messages by REST: written, read, changed and deleted, with what the gateway tells of it."""

from __future__ import annotations

from typing import Any

from attrs import Factory, define

from rateway.model.snowflake import DISCORD_EPOCH_MS

from ..hub import Hub
from ..world.payloads import Json
from ..world.places import Place
from .answers import NO_CONTENT, Answer, json_answer
from .bodies import snowflake
from .buckets import Route
from .calls import Call
from .channels import place_of
from .drafts import Draft, filled, read_draft, unknown_reference
from .errors import refusal, required
from .fields import items

_FORTNIGHT = 14 * 86_400.0
_FRESH = 10.0
_SUPPRESSED = 1 << 2
"""The flag of a message that shows no previews: the only one that may be changed."""
_NONCES = 1000
"""Nonces that are remembered for ``enforce_nonce``."""


@define
class Nonces:
    """Messages by channel and nonce, for requests that are repeated (Discord's docs, ``enforce_nonce``).

    Discord looks back for a few minutes.
    """

    age: float = 300.0
    _known: dict[tuple[int, str], tuple[float, int]] = Factory(dict)

    def find(self, channel: int, nonce: str | int, now: float) -> int | None:
        """The message that was written with this nonce."""
        at, message = self._known.get((channel, str(nonce)), (-self.age, 0))
        return message if now - at < self.age else None

    def note(self, channel: int, nonce: str | int, message: int, now: float) -> None:
        self._known[channel, str(nonce)] = (now, message)
        if len(self._known) > _NONCES:
            del self._known[next(iter(self._known))]


def age_of(id: int, now: float) -> float:
    """Seconds since an id was given out."""
    return now - ((id >> 22) + DISCORD_EPOCH_MS) / 1000


class Messages:
    """``/channels/{id}/messages`` and what is below it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._nonces = Nonces()
        template = "/channels/{}/messages/{}"
        self._delete = Route(method="DELETE", template=template, limit=5, vary=self._vary, perform=self.delete)
        self._delete_old = Route(method="DELETE", template=f"{template}?old", limit=30, per=120.0)
        self._delete_fresh = Route(method="DELETE", template=f"{template}?fresh", limit=3)

    def routes(self) -> list[Route]:
        all, one = "/channels/{}/messages", "/channels/{}/messages/{}"
        return [
            Route(method="GET", template=all, limit=5, per=5.0, sliding=True, perform=self.history),
            Route(method="POST", template=all, limit=5, per=5.0, sliding=True, perform=self.create),
            Route(method="POST", template=f"{all}/bulk-delete", limit=1, per=1.0, perform=self.delete_many),
            Route(method="GET", template=one, limit=5, per=5.0, perform=self.message),
            Route(method="PATCH", template=one, limit=5, per=5.0, sliding=True, perform=self.edit),
            self._delete,
        ]

    def _vary(self, parts: tuple[str, ...]) -> Route | None:
        """Very old messages and very new ones are deleted on buckets of their own."""
        if not parts[1].isdigit() or len(parts[1]) > 20:
            return None
        age = age_of(int(parts[1]), self._hub.world_time())
        return self._delete_old if age > _FORTNIGHT else self._delete_fresh if age < _FRESH else None

    def _place(self, call: Call) -> Place:
        return place_of(self._hub, call.id(0, "channel_id"), text=True)

    def history(self, call: Call) -> Answer:
        """What the channel remembers, newest first."""
        place, query = self._place(call), call.query
        limit = query.number("limit", 50, 1, 100)
        around, before, after = (query.snowflake(name) for name in ("around", "before", "after"))
        return json_answer(
            200, self._hub.deeds.history(place.id, limit=limit, before=before, after=after, around=around)
        )

    def message(self, call: Call) -> Answer:
        return json_answer(200, self._hub.deeds.message(self._place(call).id, call.id(1, "message_id")))

    def create(self, call: Call) -> Answer:
        """MESSAGE_CREATE; a nonce seen before is answered with the message it made, if the request says so."""
        place, draft = self._place(call), filled(read_draft(call.body))
        if place.is_thread and place.channel["thread_metadata"]["locked"]:
            raise refusal(50083)
        now = self._hub.now()
        if draft.nonce is not None and draft.enforce_nonce:
            known = self._nonces.find(place.id, draft.nonce, now)
            if known is not None and known in place.history:
                return json_answer(200, self._hub.deeds.message(place.id, known))
        message = post(self._hub, place, draft)
        if draft.nonce is not None:
            self._nonces.note(place.id, draft.nonce, int(message["id"]), now)
        return json_answer(200, message)

    def edit(self, call: Call) -> Answer:
        """MESSAGE_UPDATE; only what the body names changes."""
        place, id = self._place(call), call.id(1, "message_id")
        message = self._hub.deeds.message(place.id, id)
        draft = read_draft(call.body)
        if message["author"]["id"] != self._hub.world.bot["id"] and draft.given - {"flags"}:
            raise refusal(50005)
        return json_answer(200, change(self._hub, place, message, draft))

    def delete(self, call: Call) -> Answer:
        """MESSAGE_DELETE; in a direct channel only the bot's own."""
        place, id = self._place(call), call.id(1, "message_id")
        message = self._hub.deeds.message(place.id, id)
        if place.guild is None and message["author"]["id"] != self._hub.world.bot["id"]:
            raise refusal(50003)
        self._hub.deeds.delete_message(place.id, id)
        return NO_CONTENT

    def delete_many(self, call: Call) -> Answer:
        """MESSAGE_DELETE_BULK: 2 to 100 messages, none older than two weeks."""
        place, fields = self._place(call), call.body.fields()
        if place.guild is None:
            raise refusal(50003)
        if "messages" not in fields:
            raise required("messages")
        given = items(fields["messages"], "messages", 100, lowest=2)
        ids = [snowflake(f"messages.{i}", id) for i, id in enumerate(given)]
        now = self._hub.world_time()
        if any(age_of(id, now) > _FORTNIGHT for id in ids):
            raise refusal(50034)
        self._hub.deeds.delete_messages(place.id, ids)
        return NO_CONTENT


def post(hub: Hub, place: Place, draft: Draft, webhook: Json | None = None, **fields: Any) -> Json:
    """Write a draft into a channel; the message is returned.

    :param webhook: the author, where it isn't the bot.
    :param fields: of the message object besides those of the draft.
    """
    if draft.reply_to is not None and draft.reply_to not in place.history and draft.reply_must_exist:
        raise unknown_reference()
    # A reply to what is gone, where the request allows it, is an ordinary message.
    reply_to = draft.reply_to if draft.reply_to is not None and draft.reply_to in place.history else None
    nonce: Json = {} if draft.nonce is None else {"nonce": draft.nonce}
    return hub.deeds.post_message(
        place.id,
        draft.content,
        webhook=webhook,
        reply_to=reply_to,
        poll=draft.poll,
        flags=draft.flags,
        **{**draft.fields, "attachments": _identified(hub, draft.fields["attachments"])},
        **nonce,
        **fields,
    )


def _identified(hub: Hub, files: list[Json]) -> list[Json]:
    """New files with ids of the world's: those of the request only number them."""
    now = hub.world_time()
    return [{**file, "id": str(hub.world.ids.live(now))} for file in files]


def changes(hub: Hub, message: Json, draft: Draft) -> Json:
    """What a draft changes of a message: only what it names.

    Files that the message has stay if the draft names them, or names none at all.

    :raises ApiError: 50006 when nothing would be left.
    """
    found: Json = {name: draft.fields[name] for name in ("embeds", "components") if name in draft.given}
    if "content" in draft.given:
        found["content"] = draft.content
    if "attachments" in draft.given or draft.fields["attachments"]:
        kept = [file for file in message["attachments"] if draft.kept is None or file["id"] in draft.kept]
        found["attachments"] = kept + _identified(hub, draft.fields["attachments"])
    if "flags" in draft.given:
        found["flags"] = message["flags"] & ~_SUPPRESSED | draft.flags & _SUPPRESSED
    filled(Draft(str(found.get("content", message["content"])), {**message, **found}, poll=message.get("poll")))
    return found


def change(hub: Hub, place: Place, message: Json, draft: Draft) -> Json:
    """Apply what a draft names; the whole message is returned."""
    return hub.deeds.edit_message(place.id, int(message["id"]), **changes(hub, message, draft))
