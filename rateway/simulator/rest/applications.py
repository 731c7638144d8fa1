"""The bot itself: its gateway, its user, its application, its guilds, and the people it talks to."""

from __future__ import annotations

from ..gateway.rules import application_flags
from ..hub import Hub
from ..world.deeds import UnknownUser
from ..world.guild import Guild
from ..world.payloads import Json, current_user
from .answers import Answer, json_answer
from .bodies import snowflake
from .buckets import Route
from .calls import Call
from .errors import refusal, required
from .guilds import PERMISSIONS, with_counts


class Applications:
    """``/gateway``, ``/users/@me``, ``/applications/@me`` and what is below them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        mine = Route(method="GET", template="/applications/@me", limit=30, per=30.0, perform=self.application)
        return [
            Route(method="GET", template="/gateway", limit=0, perform=self.gateway),
            Route(method="GET", template="/gateway/bot", limit=0, perform=self.gateway_bot),
            mine,
            Route(
                method="GET",
                template="/oauth2/applications/@me",
                limit=30,
                per=30.0,
                bucket=mine.hash,
                perform=self.application,
            ),
            Route(method="GET", template="/users/@me", limit=30, per=30.0, perform=self.me),
            Route(method="GET", template="/users/@me/guilds", limit=5, perform=self.guilds),
            Route(method="POST", template="/users/@me/channels", limit=10, per=10.0, perform=self.open_direct),
            Route(method="GET", template="/users/{}", limit=30, per=30.0, perform=self.user),
        ]

    def gateway(self, call: Call) -> Answer:
        return json_answer(200, {"url": self._hub.addresses.gateway})

    def gateway_bot(self, call: Call) -> Answer:
        """What is left of the allowance is what IDENTIFYs have left."""
        hub = self._hub
        allowance = hub.allowance
        # Asked first: it renews an allowance whose window is over.
        reset = round(allowance.reset_after(hub.now()) * 1000)
        limits = {
            "total": allowance.total,
            "remaining": allowance.remaining,
            "reset_after": reset,
            "max_concurrency": hub.options.max_concurrency,
        }
        url = hub.addresses.gateway
        return json_answer(200, {"url": url, "shards": hub.options.shards, "session_start_limit": limits})

    def application(self, call: Call) -> Answer:
        hub = self._hub
        bot, allowed = hub.world.bot, hub.options.allowed_intents
        owners = (int(guild.fields["owner_id"]) for guild in hub.world.guilds.values())
        value = {
            "id": bot["id"],
            "name": bot["username"],
            "icon": None,
            "description": "",
            "summary": "",
            "type": None,
            "bot": bot,
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "owner": hub.world.users[next(owners, hub.world.bot_id)],
            "team": None,
            "flags": application_flags(allowed),
            "approximate_guild_count": len(hub.world.guilds),
            "interactions_endpoint_url": None,
            "redirect_uris": [],
            "tags": [],
        }
        return json_answer(200, value)

    def me(self, call: Call) -> Answer:
        return json_answer(200, current_user(self._hub.world.bot))

    def guilds(self, call: Call) -> Answer:
        """The guilds, by rising id; those with the highest ids before ``before``."""
        before, after = call.query.snowflake("before"), call.query.snowflake("after")
        limit, counts = call.query.number("limit", 200, 1, 200), call.query.flag("with_counts")
        guilds = [guild for id, guild in sorted(self._hub.world.guilds.items()) if after is None or id > after]
        if before is not None:
            guilds = [guild for guild in guilds if guild.id < before][-limit:]
        return json_answer(200, [self._partial(guild, counts) for guild in guilds[:limit]])

    def _partial(self, guild: Guild, counts: bool) -> Json:
        fields = guild.fields
        value = {key: fields[key] for key in ("id", "name", "icon", "banner", "features")}
        value |= {"owner": fields["owner_id"] == self._hub.world.bot["id"], "permissions": PERMISSIONS}
        return value | with_counts(guild) if counts else value

    def open_direct(self, call: Call) -> Answer:
        """The direct channel with a user: always the same one."""
        fields = call.body.fields()
        if "recipient_id" not in fields:
            raise required("recipient_id")
        user = snowflake("recipient_id", fields["recipient_id"])
        if user == self._hub.world.bot_id:
            raise refusal(50007)
        return json_answer(200, self._hub.deeds.open_direct(user))

    def user(self, call: Call) -> Answer:
        id = call.id(0, "user_id")
        if id not in self._hub.world.users:
            raise UnknownUser(id)
        return json_answer(200, self._hub.world.users[id])
