"""Webhooks: made for a channel, and called with the token in their path."""

from __future__ import annotations

from ..hub import Hub
from ..world.payloads import Json
from ..world.places import Place
from .answers import NO_CONTENT, Answer, json_answer
from .bodies import snowflake
from .buckets import Route
from .calls import Call, Handler
from .channels import place_of
from .drafts import filled, read_draft
from .errors import refusal, required
from .fields import optional_text, text
from .messages import change, post

_MOST = 15
"""Webhooks a channel may have."""
LIMIT, PER = 5, 2.0
"""Calls of one webhook."""


class Webhooks:
    """``/channels/{id}/webhooks`` and ``/webhooks/{id}``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        one, called = "/webhooks/{}", "/webhooks/{}/{}"
        message = f"{called}/messages/{{}}"
        hash = Route(template=called).hash

        def call(method: str, template: str, perform: Handler) -> Route:
            return Route(method=method, template=template, limit=LIMIT, per=PER, bucket=hash, perform=perform)

        return [
            Route(method="GET", template="/channels/{}/webhooks", limit=5, per=5.0, perform=self.of_channel),
            Route(method="POST", template="/channels/{}/webhooks", limit=5, per=5.0, perform=self.create),
            Route(method="GET", template=one, limit=5, per=5.0, perform=self.show),
            Route(method="DELETE", template=one, limit=5, per=5.0, perform=self.delete),
            call("GET", called, self.show),
            call("DELETE", called, self.delete),
            call("POST", called, self.execute),
            call("GET", message, self.message),
            call("PATCH", message, self.edit_message),
            call("DELETE", message, self.delete_message),
        ]

    def create(self, call: Call) -> Answer:
        """WEBHOOKS_UPDATE."""
        place, fields = place_of(self._hub, call.id(0, "channel_id")), call.body.fields()
        if place.guild is None or place.is_thread:
            raise refusal(50003)
        if "name" not in fields:
            raise required("name")
        name = text(fields["name"], "name", 80, lowest=1)
        if len(self._of(place)) >= _MOST:
            raise refusal(30007)
        id = self._hub.world.ids.live(self._hub.world_time())
        webhook = {
            "id": str(id),
            "type": 1,
            "guild_id": str(place.guild.id),
            "channel_id": str(place.id),
            "user": self._hub.world.bot,
            "name": name,
            "avatar": None,
            "token": f"{id:x}" + "w" * 40,
            "application_id": self._hub.world.bot["id"],
        }
        place.guild.webhooks[id] = webhook
        self._tell(webhook)
        return json_answer(200, webhook)

    def of_channel(self, call: Call) -> Answer:
        return json_answer(200, self._of(place_of(self._hub, call.id(0, "channel_id"))))

    def _of(self, place: Place) -> list[Json]:
        known = [] if place.guild is None else place.guild.webhooks.values()
        return [webhook for webhook in known if webhook["channel_id"] == str(place.id)]

    def _webhook(self, call: Call) -> Json:
        """The webhook of the path, whose token must be right where it is there."""
        id = call.id(0, "webhook_id")
        webhook = next((g.webhooks[id] for g in self._hub.world.guilds.values() if id in g.webhooks), None)
        if webhook is None:
            raise refusal(10015)
        if len(call.parts) > 1 and call.text(1) != webhook.get("token"):
            raise refusal(50027)
        return webhook

    def show(self, call: Call) -> Answer:
        """Who comes with its token isn't told who made it."""
        hidden = ("user",) if len(call.parts) > 1 else ()
        return json_answer(200, {key: value for key, value in self._webhook(call).items() if key not in hidden})

    def delete(self, call: Call) -> Answer:
        """WEBHOOKS_UPDATE."""
        webhook = self._webhook(call)
        del self._hub.world.guilds[int(webhook["guild_id"])].webhooks[int(webhook["id"])]
        self._tell(webhook)
        return NO_CONTENT

    def _tell(self, webhook: Json) -> None:
        self._hub.tell("WEBHOOKS_UPDATE", {key: webhook[key] for key in ("guild_id", "channel_id")})

    def _place(self, call: Call, webhook: Json) -> Place:
        """The webhook's channel, or the thread of it that the query names."""
        thread = call.query.snowflake("thread_id")
        place = place_of(self._hub, int(webhook["channel_id"]) if thread is None else thread, text=True)
        if thread is not None and place.channel.get("parent_id") != webhook["channel_id"]:
            raise refusal(10003)
        return place

    def execute(self, call: Call) -> Answer:
        """MESSAGE_CREATE by the webhook; with ``wait`` the message is the answer."""
        webhook, wait = self._webhook(call), call.query.flag("wait")
        fields, draft = call.body.fields(), filled(read_draft(call.body))
        name = optional_text(fields, "username", 80, lowest=1) or webhook["name"]
        avatar = fields.get("avatar_url") and "a" * 32
        author = {"id": webhook["id"], "name": name, "avatar": avatar, "application_id": webhook["application_id"]}
        message = post(self._hub, self._place(call, webhook), draft, author)
        return json_answer(200, message) if wait else NO_CONTENT

    def _message(self, call: Call) -> tuple[Place, Json]:
        webhook = self._webhook(call)
        place = self._place(call, webhook)
        message = self._hub.deeds.message(place.id, snowflake("message_id", call.parts[2]))
        if message.get("webhook_id") != webhook["id"]:
            raise refusal(10008)
        return place, message

    def message(self, call: Call) -> Answer:
        return json_answer(200, self._message(call)[1])

    def edit_message(self, call: Call) -> Answer:
        """MESSAGE_UPDATE."""
        place, message = self._message(call)
        return json_answer(200, change(self._hub, place, message, read_draft(call.body)))

    def delete_message(self, call: Call) -> Answer:
        """MESSAGE_DELETE."""
        place, message = self._message(call)
        self._hub.deeds.delete_message(place.id, int(message["id"]))
        return NO_CONTENT
