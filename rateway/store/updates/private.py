"""Direct message channels. Bots get no events about them: they are known from their messages, the latest of them."""

from __future__ import annotations

from msgspec import Raw

from rateway.store import blob, keys
from rateway.store.view import Changes, View

from . import people, purge

LIMIT = 10_000
"""How many channels are remembered: those with the newest messages."""


def message_create(view: View, out: Changes, message: int, channel: int, author: Raw) -> None:
    """A message came in a private channel: the channel is remembered, with who isn't the bot in it.

    It is so too where only messages are kept: it is by their channel that old ones are forgotten.

    :param author: anything but an object is nobody.
    """
    if not view.kept.private_channels and not view.kept.messages:
        return
    key = keys.private_channel(channel)
    old = view.get(key)
    user = blob.id_of(author).id if blob.is_object(author) else None
    recipient = None if user == people.self_id(view) else user
    fields: blob.Fields = {"id": blob.raw_id(channel), "type": Raw(b"1")}
    recipients = Raw(b"[]" if recipient is None else b"[" + bytes(author) + b"]")
    if old is None:
        _make_room(view, out)
    else:
        known = blob.fields(old)
        last = blob.to_int(known["last_message_id"])
        out[keys.private_age(last, channel)] = None
        message = max(message, last)
        if recipient is None:
            recipients = known["recipients"]
    fields["last_message_id"] = blob.raw_id(message)
    fields["recipients"] = recipients
    out[key] = blob.encode(fields)
    out[keys.private_age(message, channel)] = b""
    if view.kept.people and recipient is not None:
        out[keys.reference(recipient, channel)] = b"private"
        people.put_user(view, out, recipient, bytes(author))


def _make_room(view: View, out: Changes) -> None:
    """Count one more, and forget the channel that was silent longest where it is one too many."""
    count = int.from_bytes(view.get(keys.PRIVATE_COUNT) or b"", "big")
    if count < LIMIT:
        out[keys.PRIVATE_COUNT] = (count + 1).to_bytes(4, "big")
        return
    for age in view.keys(keys.PRIVATE_AGES):
        channel = keys.last_id(age)
        key = keys.private_channel(channel)
        row = view.get(key)
        out[age] = out[key] = None
        purge.forget_messages(view, out, 0, channel)
        for recipient in blob.items(blob.fields(row)["recipients"]) if row is not None else ():
            people.forget_reference(view, out, blob.id_of(recipient).id, channel, (channel,))
        return
