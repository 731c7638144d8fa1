"""Answers to interactions, and what follows them by the application's webhook."""

from __future__ import annotations

from ..hub import Hub
from ..world.payloads import Json, iso
from ..world.places import Place
from .answers import NO_CONTENT, Answer, json_answer
from .bodies import Body, snowflake
from .buckets import Route
from .callbacks import ANSWER_WITHIN, Asked, Asking
from .calls import Call, Handler
from .channels import place_of
from .drafts import EPHEMERAL, Draft, filled, read_draft
from .errors import invalid, refusal, required
from .fields import items, record, text, whole
from .messages import changes, post
from .webhooks import LIMIT, PER

_PONG, _MESSAGE, _DEFER, _DEFER_UPDATE, _UPDATE, _CHOICES, _MODAL = 1, 4, 5, 6, 7, 8, 9
_LOADING = 1 << 7
_FITTING: dict[int, tuple[int, ...]] = {
    1: (_PONG,),
    2: (_MESSAGE, _DEFER, _MODAL),
    3: (_MESSAGE, _DEFER, _DEFER_UPDATE, _UPDATE, _MODAL),
    4: (_CHOICES,),
    5: (_MESSAGE, _DEFER, _DEFER_UPDATE, _UPDATE),
}
"""The answers that each type of interaction may get: ping, command, component, autocompletion, modal."""


class Interactions:
    """``/interactions/{id}/{token}/callback`` and ``/webhooks/{application}/{token}``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._asking = Asking(hub)

    def routes(self) -> list[Route]:
        own = f"/webhooks/{self._hub.world.bot['id']}/{{}}"
        one = f"{own}/messages/{{}}"
        hash = Route(template="/webhooks/{}/{}").hash

        def follow_up(method: str, template: str, perform: Handler) -> Route:
            return Route(method=method, template=template, limit=LIMIT, per=PER, bucket=hash, perform=perform)

        return [
            Route(method="POST", template="/interactions/{}/{}/callback", limit=0, perform=self.callback),
            follow_up("POST", own, self.follow),
            follow_up("GET", one, self.message),
            follow_up("PATCH", one, self.edit),
            follow_up("DELETE", one, self.delete),
        ]

    def callback(self, call: Call) -> Answer:
        """204, or with ``with_response`` the interaction and what came of it."""
        id, asked = call.id(0, "interaction_id"), self._asking.find(call.text(1))
        if asked is None or int(asked.d["id"]) != id:
            raise refusal(10062)
        if asked.callback is not None:
            raise refusal(40060)
        if self._hub.age(asked.at) > ANSWER_WITHIN:
            raise refusal(10062)
        fields = call.body.fields()
        if "type" not in fields:
            raise required("type")
        type = whole(fields["type"], "type", 1, 12)
        if type not in _FITTING.get(asked.type, ()):
            raise invalid("type", "BASE_TYPE_CHOICES", f"Value must be one of {_FITTING.get(asked.type, ())}.")
        given = record(fields.get("data") or {}, "data")
        message = self._respond(asked, type, given, call.body)
        asked.callback = type
        if not call.query.flag("with_response"):
            return NO_CONTENT
        shown: Json = {"id": asked.d["id"], "type": asked.type, "response_message_loading": type == _DEFER}
        value: Json = {"interaction": shown}
        if message is not None:
            shown |= {
                "response_message_id": message["id"],
                "response_message_ephemeral": bool(message["flags"] & EPHEMERAL),
            }
            value["resource"] = {"type": type, "message": message}
        return json_answer(200, value)

    def _respond(self, asked: Asked, type: int, given: Json, body: Body) -> Json | None:
        if type == _MESSAGE:
            return self._write(asked, filled(read_draft(body, ephemeral=True, value=given)), original=True)
        if type == _DEFER:
            flags = whole(given.get("flags") or 0, "data.flags", 0, 1 << 53) & EPHEMERAL
            return self._write(asked, Draft(fields={"attachments": []}, flags=flags | _LOADING), original=True)
        if type in (_UPDATE, _DEFER_UPDATE):
            shown = asked.component_message
            asked.original = None if shown is None else int(shown["id"])
            if type == _UPDATE and asked.original is not None:
                return self._change(asked, asked.original, read_draft(body, value=given))
        elif type == _CHOICES:
            items(given.get("choices"), "data.choices", 25)
        elif type == _MODAL:
            for name, limit in (("custom_id", 100), ("title", 45)):
                text(given.get(name) or "", f"data.{name}", limit, lowest=1)
            items(given.get("components"), "data.components", 5, lowest=1)
        return None

    # --- follow-ups

    def _asked(self, call: Call) -> Asked:
        """The interaction whose token this is; unknown before it is answered, too."""
        asked = self._asking.find(call.text(0))
        if asked is None or asked.callback is None:
            raise refusal(10015)
        return asked

    def follow(self, call: Call) -> Answer:
        """MESSAGE_CREATE; the first one after a deferred answer takes its place."""
        asked = self._asked(call)
        draft = filled(read_draft(call.body, ephemeral=True))
        if asked.callback == _DEFER and asked.original is not None:
            message = self._find(asked, asked.original)
            if message["flags"] & _LOADING:
                return json_answer(200, self._change(asked, asked.original, draft))
        return json_answer(200, self._write(asked, draft, original=False))

    def _id(self, call: Call, asked: Asked) -> int:
        if call.parts[1] != "@original":
            return snowflake("message_id", call.parts[1])
        if asked.original is None:
            raise refusal(10008)
        return asked.original

    def message(self, call: Call) -> Answer:
        asked = self._asked(call)
        return json_answer(200, self._find(asked, self._id(call, asked)))

    def edit(self, call: Call) -> Answer:
        """MESSAGE_UPDATE."""
        asked = self._asked(call)
        return json_answer(200, self._change(asked, self._id(call, asked), read_draft(call.body)))

    def delete(self, call: Call) -> Answer:
        """MESSAGE_DELETE."""
        asked = self._asked(call)
        id = self._id(call, asked)
        self._find(asked, id)
        if asked.private.pop(id, None) is None:
            self._hub.deeds.delete_message(self._place(asked).id, id)
        return NO_CONTENT

    # --- messages

    def _place(self, asked: Asked) -> Place:
        if asked.channel_id is None:
            raise refusal(10003)
        return place_of(self._hub, asked.channel_id, text=True)

    def _write(self, asked: Asked, draft: Draft, *, original: bool) -> Json:
        id = self._hub.world.bot["id"]
        extra: Json = {"interaction_metadata": asked.metadata(), "application_id": id, "webhook_id": id}
        if original and asked.type == 2:
            extra["type"] = 20
        message = post(self._hub, self._place(asked), draft, **extra)
        if draft.flags & EPHEMERAL:
            asked.private[int(message["id"])] = message
        if original:
            asked.original = int(message["id"])
        return message

    def _find(self, asked: Asked, id: int) -> Json:
        """A message of the application's own."""
        if id in asked.private:
            return asked.private[id]
        message = self._hub.deeds.message(self._place(asked).id, id)
        if self._hub.world.bot["id"] not in (message["author"]["id"], message.get("webhook_id")):
            raise refusal(10008)
        return message

    def _change(self, asked: Asked, id: int, draft: Draft) -> Json:
        message = self._find(asked, id)
        found = changes(self._hub, message, draft)
        flags: int = found.get("flags") or message["flags"]
        found["flags"] = flags & ~_LOADING
        if id in asked.private:
            asked.private[id] = {**message, **found, "edited_timestamp": iso(self._hub.world_time())}
            return asked.private[id]
        return self._hub.deeds.edit_message(self._place(asked).id, id, **found)
