"""Messages as requests describe them, checked (Discord's docs, "Message: Create Message", "Embed Limits")."""

from __future__ import annotations

from typing import Any

from attrs import Factory, frozen

from ..world.payloads import Json
from .bodies import Body, snowflake
from .errors import ApiError, invalid, refusal, required
from .fields import flag, items, record, text, whole

CONTENT_LIMIT, NONCE_LIMIT = 2000, 25
_EMBEDS_LIMIT = 6000
"""Characters in all embeds of a message."""
_SETTABLE = 1 << 2 | 1 << 12 | 1 << 15
"""Flags a bot may set: no previews, no notification, components of the second version."""
EPHEMERAL = 1 << 6
_EMBED_TEXTS = {"title": 256, "description": 4096}
_PARTS = {"footer": ("text", 2048), "author": ("name", 256)}


@frozen
class Draft:
    """A message to be written, or the changes to one.

    :ivar fields: of the message object, as they are.
    :ivar given: the keys of the body that were there at all.
    :ivar kept: the ids that ``attachments`` names; None where the body has no such key.
    """

    content: str = ""
    fields: Json = Factory(dict)
    flags: int = 0
    nonce: str | int | None = None
    enforce_nonce: bool = False
    reply_to: int | None = None
    reply_must_exist: bool = True
    poll: Json | None = None
    given: frozenset[str] = frozenset()
    kept: frozenset[str] | None = None

    @property
    def is_empty(self) -> bool:
        shown = ("embeds", "components", "attachments", "sticker_items")
        return not (self.content or self.poll or any(self.fields.get(key) for key in shown))


def read_draft(body: Body, *, ephemeral: bool = False, value: Json | None = None) -> Draft:
    """The message that a body describes.

    :param ephemeral: whether its flags may say so: only answers to interactions may.
    :param value: instead of the body's own object, where the message is nested in it.
    :raises ApiError: 50035, by field.
    """
    given = body.fields() if value is None else value
    fields: Json = {"tts": flag(given.get("tts", False), "tts")}
    content = text(given.get("content") or "", "content", CONTENT_LIMIT).strip()
    fields["embeds"] = _embeds(given.get("embeds"))
    fields["components"] = [
        record(row, f"components.{i}") for i, row in enumerate(items(given.get("components"), "components", 40))
    ]
    stickers = items(given.get("sticker_ids"), "sticker_ids", 3)
    if stickers:
        fields["sticker_items"] = [
            {"id": str(snowflake(f"sticker_ids.{i}", id)), "name": "sticker", "format_type": 1}
            for i, id in enumerate(stickers)
        ]
    fields["attachments"] = _attachments(body, given)
    allowed = _SETTABLE | (EPHEMERAL if ephemeral else 0)
    flags = whole(given.get("flags") or 0, "flags", 0, (1 << 53) - 1) & allowed
    if given.get("allowed_mentions") is not None:
        record(given["allowed_mentions"], "allowed_mentions")
    reply_to, must_exist = _reply(given.get("message_reference"))
    return Draft(
        content,
        fields,
        flags,
        _nonce(given.get("nonce")),
        flag(given.get("enforce_nonce", False), "enforce_nonce"),
        reply_to,
        must_exist,
        _poll(given.get("poll")),
        frozenset(given),
        None if given.get("attachments") is None else frozenset(str(file["id"]) for file in given["attachments"]),
    )


def filled(draft: Draft) -> Draft:
    """The same.

    :raises ApiError: 50006 when it says nothing.
    """
    if draft.is_empty:
        raise refusal(50006)
    return draft


def _nonce(value: Any) -> str | int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return text(value, "nonce", NONCE_LIMIT)


def _reply(value: Any) -> tuple[int | None, bool]:
    if value is None:
        return None, True
    reference = record(value, "message_reference")
    if "message_id" not in reference:
        raise required("message_reference.message_id")
    must_exist = flag(reference.get("fail_if_not_exists", True), "message_reference.fail_if_not_exists")
    return snowflake("message_reference.message_id", reference["message_id"]), must_exist


def _embeds(value: Any) -> list[Json]:
    embeds = [record(embed, f"embeds.{i}") for i, embed in enumerate(items(value, "embeds", 10))]
    if sum(_embed_size(embed, f"embeds.{i}") for i, embed in enumerate(embeds)) > _EMBEDS_LIMIT:
        raise invalid("embeds", "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {_EMBEDS_LIMIT}")
    return [{"type": "rich", **embed} for embed in embeds]


def _embed_size(embed: Json, path: str) -> int:
    """Check an embed; its characters."""
    size = 0
    for name, limit in _EMBED_TEXTS.items():
        if embed.get(name) is not None:
            size += len(text(embed[name], f"{path}.{name}", limit))
    for part, (name, limit) in _PARTS.items():
        if embed.get(part) is not None:
            size += len(text(record(embed[part], f"{path}.{part}").get(name) or "", f"{path}.{part}.{name}", limit))
    for i, entry in enumerate(items(embed.get("fields"), f"{path}.fields", 25)):
        where = f"{path}.fields.{i}"
        for name, limit in (("name", 256), ("value", 1024)):
            given = record(entry, where).get(name)
            if not given:
                raise required(f"{where}.{name}")
            size += len(text(given, f"{where}.{name}", limit))
    return size


def _attachments(body: Body, given: Json) -> list[Json]:
    """The files of a multipart body, with what ``attachments`` says about them."""
    about: dict[str, Json] = {}
    for i, value in enumerate(items(given.get("attachments"), "attachments", 10)):
        described = record(value, f"attachments.{i}")
        if "id" not in described:
            raise required(f"attachments.{i}.id")
        about[str(described["id"])] = described
    if len(body.files) > 10:
        raise invalid("files", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    attachments = []
    for i, file in enumerate(body.files):
        number = file.field[6:-1] if file.field.startswith("files[") else str(i)
        described = about.get(number, {})
        name = str(described.get("filename") or file.name)
        url = f"https://cdn.example.invalid/attachments/{number}/{name}"
        value = {"id": str(i), "filename": name, "size": file.size, "content_type": file.content_type}
        if described.get("description"):
            value["description"] = text(described["description"], f"attachments.{number}.description", 1024)
        attachments.append(value | {"url": url, "proxy_url": url})
    return attachments


def _poll(value: Any) -> Json | None:
    if value is None:
        return None
    poll = record(value, "poll")
    question = record(poll.get("question"), "poll.question")
    text(question.get("text"), "poll.question.text", 300, lowest=1)
    for i, answer in enumerate(items(poll.get("answers"), "poll.answers", 10, lowest=1)):
        where = f"poll.answers.{i}.poll_media"
        media = record(record(answer, f"poll.answers.{i}").get("poll_media"), where)
        text(media.get("text"), f"{where}.text", 55, lowest=1)
    whole(poll.get("duration", 24), "poll.duration", 1, 768)
    return {**poll, "question": {"text": question["text"]}}


def unknown_reference() -> ApiError:
    """The message answered is not there."""
    return invalid("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
