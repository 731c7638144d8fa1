"""Every route of REST, and what the gateway tells of it, judged by the schema."""

from __future__ import annotations

import json
from typing import Any

from rateway.simulator.simulator import Simulator
from tests.simulator.client import RawClient
from tests.simulator.rest import TOKENLESS, Reply, RestCase, channel_of
from tests.simulator.schema.checking import check, check_payload
from tests.simulator.schema.rest import ANSWERS, EMPTY, Limited, Trouble
from tests.simulator.test_payload_schema import REST, samples

FACE = "%F0%9F%91%8D"
POLL = {"question": {"text": "when?"}, "answers": [{"poll_media": {"text": "now"}}], "duration": 1}


class RestPayloadTests(RestCase):
    """One run through all routes."""

    simulator: Simulator
    asked: set[str]

    async def call(self, path: str, *parts: object, method: str = "GET", query: str = "", **more: Any) -> Any:
        """Ask a route, given as its template and the parts of the path; its answer is judged, and returned."""
        filled = path
        for part in parts:
            filled = filled.replace("{}", str(part), 1)
        if method == "GET" or {"json", "data"} & more.keys():
            reply = await self.ask(self.simulator, filled + query, method, **more)
        else:
            reply = await self.ask(self.simulator, filled + query, method, json={}, **more)
        route = f"{method} {path}"
        self.asked.add(route)
        if route in EMPTY:
            self.assertEqual((reply.status, reply.body), (204, b""), route)
            return None
        self.assertIn(reply.status, (200, 201), f"{route}: {reply.body!r}")
        check(reply.body, ANSWERS[route], route)
        return reply.json

    async def test_every_route(self) -> None:
        """Each route's answer fits, and there is no route that isn't asked; so do the events that follow."""
        self.asked = set()
        self.simulator, client = await self.listening(guilds=2, members=8, mix="everything", global_limit=10_000)
        for route in tuple(self.simulator.rest.routes):
            self.simulator.rest.limit(route.method, route.template, 0)
        self.simulator.traffic.happen(400)
        await self.application()
        await self.guild()
        await self.messages()
        await self.webhooks()
        await self.interactions(client)
        routes = {f"{route.method} {route.template}" for route in self.simulator.rest.routes}
        self.assertEqual(routes - self.asked, set())
        self.assertEqual(set(ANSWERS) | EMPTY, routes)
        self.simulator.dispatch(0, "LAST", {})
        await client.first("LAST")
        told = [text for text, _ in client.messages if b'"t":"LAST"' not in text]
        for text in told:
            check_payload(text)
        names = {json.loads(text)["t"] for text in told}
        wanted = "MESSAGE_CREATE MESSAGE_UPDATE MESSAGE_DELETE_BULK MESSAGE_REACTION_ADD CHANNEL_UPDATE WEBHOOKS_UPDATE"
        self.assertEqual(set(wanted.split()) - names, set())

    async def application(self) -> None:
        """The bot's own."""
        bot, guild = self.simulator.world.bot["id"], self.simulator.guild(0)
        for path in ("/gateway", "/gateway/bot", "/users/@me", "/applications/@me", "/oauth2/applications/@me"):
            await self.call(path)
        await self.call("/users/@me/guilds", query="?with_counts=true")
        await self.call("/users/{}", guild.fields["owner_id"])
        await self.call("/users/@me/channels", method="POST", json={"recipient_id": guild.fields["owner_id"]})
        wanted = {"name": "greet", "description": "says hello", "options": [{"name": "who", "type": 6}]}
        for base, parts in (("/applications/{}", (bot,)), ("/applications/{}/guilds/{}", (bot, guild.id))):
            await self.call(f"{base}/commands", *parts, method="PUT", json=[wanted])
            made = await self.call(f"{base}/commands", *parts, method="POST", json={**wanted, "name": "other"})
            await self.call(f"{base}/commands", *parts)
            one = (*parts, made["id"])
            await self.call(f"{base}/commands/{{}}", *one)
            await self.call(f"{base}/commands/{{}}", *one, method="PATCH", json={"description": "says more"})
            await self.call(f"{base}/commands/{{}}", *one, method="DELETE")

    async def guild(self) -> None:
        """Guilds and channels."""
        guild = self.simulator.guild(0)
        await self.call("/guilds/{}", guild.id, query="?with_counts=true")
        for below in ("channels", "roles", "threads/active"):
            await self.call(f"/guilds/{{}}/{below}", guild.id)
        await self.call("/guilds/{}/members", guild.id, query="?limit=1000")
        await self.call("/guilds/{}/members/{}", guild.id, guild.fields["owner_id"])
        for channel in (*guild.text_channels(), *guild.voice_channels(), *guild.threads):
            await self.call("/channels/{}", channel)
        await self.call("/channels/{}", channel_of(guild), method="PATCH", json={"nsfw": True})
        await self.call("/channels/{}/typing", channel_of(guild), method="POST")

    async def messages(self) -> None:
        """Messages of every kind."""
        channel, all = channel_of(self.simulator.guild(0)), "/channels/{}/messages"
        one = f"{all}/{{}}"
        first = await self.call(all, channel, method="POST", json={"content": "one", "embeds": [{"title": "a link"}]})
        reply = {"message_id": first["id"]}
        more = [
            await self.call(all, channel, method="POST", json=value)
            for value in (
                {"content": "two", "message_reference": reply, "nonce": "n"},
                {"content": "", "poll": POLL},
                {"content": "four", "components": [{"type": 1, "components": []}]},
            )
        ]
        files = {"files[0]": ("a.txt", "text/plain", b"text")}
        await self.call(all, channel, method="POST", files=files, data={"payload_json": '{"content":"f"}'})
        await self.call("/channels/{}/pins/{}", channel, first["id"], method="PUT")
        await self.call("/channels/{}/pins", channel)
        await self.call("/channels/{}/pins/{}", channel, first["id"], method="DELETE")
        emoji = (channel, first["id"], FACE)
        await self.call(f"{one}/reactions/{{}}/@me", *emoji, method="PUT")
        await self.call(one, channel, first["id"])
        await self.call(f"{one}/reactions/{{}}", *emoji)
        await self.call(f"{one}/reactions/{{}}/@me", *emoji, method="DELETE")
        bot = self.simulator.world.bot["id"]
        for below, parts in (("/{}/{}", (*emoji, bot)), ("/{}", emoji), ("", emoji[:2])):
            await self.call(f"{one}/reactions/{{}}/@me", *emoji, method="PUT")
            await self.call(f"{one}/reactions{below}", *parts, method="DELETE")
        await self.call(one, channel, first["id"], method="PATCH", json={"content": "changed"})
        await self.call(all, channel, query="?limit=100")
        await self.call(one, channel, first["id"], method="DELETE")
        ids = [message["id"] for message in more]
        await self.call(f"{all}/bulk-delete", channel, method="POST", json={"messages": ids})

    async def webhooks(self) -> None:
        """A webhook's life."""
        channel = channel_of(self.simulator.guild(0))
        made = await self.call("/channels/{}/webhooks", channel, method="POST", json={"name": "CI"})
        other = await self.call("/channels/{}/webhooks", channel, method="POST", json={"name": "other"})
        await self.call("/channels/{}/webhooks", channel)
        await self.call("/webhooks/{}", made["id"])
        called = (made["id"], made["token"])
        await self.call("/webhooks/{}/{}", *called, headers=TOKENLESS)
        said = await self.call("/webhooks/{}/{}", *called, method="POST", query="?wait=true", json={"content": "built"})
        message = (*called, said["id"])
        await self.call("/webhooks/{}/{}/messages/{}", *message)
        await self.call("/webhooks/{}/{}/messages/{}", *message, method="PATCH", json={"content": "rebuilt"})
        await self.call("/webhooks/{}/{}/messages/{}", *message, method="DELETE")
        await self.call("/webhooks/{}/{}", *called, method="DELETE")
        await self.call("/webhooks/{}", other["id"], method="DELETE")

    async def interactions(self, client: RawClient) -> None:
        """A command is answered, and followed up."""
        self.simulator.traffic.start(0.0, "interaction=1")
        self.simulator.traffic.stop()
        before = len(client.all("INTERACTION_CREATE"))
        self.simulator.traffic.happen(40)
        guild = str(self.simulator.guild(0).id)

        def asked() -> list[Any]:
            new = client.all("INTERACTION_CREATE")[before:]
            return [p["d"] for p in new if p["d"]["type"] == 2 and p["d"].get("guild_id") == guild]

        await client.until(asked)
        d = asked()[0]
        callback = {"type": 4, "data": {"content": "hello"}}
        path = "/interactions/{}/{}/callback"
        await self.call(path, d["id"], d["token"], method="POST", query="?with_response=true", json=callback)
        own = f"/webhooks/{self.simulator.world.bot['id']}/{{}}"
        said = await self.call(own, d["token"], method="POST", json={"content": "and more"})
        one = (d["token"], said["id"])
        await self.call(f"{own}/messages/{{}}", *one)
        await self.call(f"{own}/messages/{{}}", *one, method="PATCH", json={"content": "and less"})
        await self.call(f"{own}/messages/{{}}", *one, method="DELETE")

    async def test_troubles(self) -> None:
        """Refusals are those of the docs: code and message, and 429 with the time to wait."""
        simulator = await self.start()
        refused: list[Reply] = [
            await self.ask(simulator, "/users/@me", headers=TOKENLESS),
            await self.ask(simulator, "/users/@me", headers={"User-Agent": "curl"}),
            await self.ask(simulator, "/channels/1"),
            await self.post(
                simulator, f"/channels/{channel_of(simulator.guild(0))}/messages", {"content": {"text": 1}}
            ),
            await self.post(simulator, f"/channels/{channel_of(simulator.guild(0))}/messages", {"content": ""}),
        ]
        self.assertEqual([reply.status for reply in refused], [401, 403, 404, 400, 400])
        for reply in refused:
            check(reply.body, (Trouble,), str(reply.status))
        limited = [await self.ask(simulator, "/nonsense") for _ in range(6)][-1]
        self.assertEqual(limited.status, 429)
        check(limited.body, (Limited,), "429")

    async def test_samples(self) -> None:
        """What each sample of REST shows, the simulator answers with the same keys."""
        simulator = await self.start(global_limit=10)
        channel = channel_of(simulator.guild(0))
        texts = f"/channels/{channel}/messages"
        stages = {"/shared": "shared-429", "/banned": "cloudflare-json-429", "/forbidden": "forbidden"}
        for path, name in stages.items():
            simulator.rest.stage(path, name)
        answers: dict[str, Reply] = {
            "gateway": await self.ask(simulator, "/gateway"),
            "gateway_bot": await self.ask(simulator, "/gateway/bot"),
            "unauthorized": await self.ask(simulator, "/users/@me", headers=TOKENLESS),
            "invalid_form": await self.post(simulator, texts, {"content": {"text": 1}}),
            "limited_shared": await self.ask(simulator, "/shared"),
            "banned": await self.ask(simulator, "/banned"),
            "missing_permissions": await self.ask(simulator, "/forbidden"),
            "limited_user": [await self.ask(simulator, "/once") for _ in range(6)][-1],
            "limited_global": [await self.ask(simulator, f"/many/{n}") for n in range(11)][-1],
        }
        self.assertEqual(set(answers), set(samples("rest_")))
        for name, sample in samples("rest_").items():
            self.assertEqual(answers[name].json.keys(), sample.keys(), name)
            check(answers[name].body, (REST[name],), name)
        (trouble,) = answers["invalid_form"].json["errors"]["content"]["_errors"]
        self.assertEqual(set(trouble), {"code", "message"})
