"""Interactions answered by REST, what follows them, webhooks, and application commands."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from attrs import evolve

from rateway.simulator.simulator import Simulator
from tests.simulator.client import RawClient
from tests.simulator.rest import TOKENLESS, Reply, RestCase, breaches, channel_of, messages_of


class InteractionCase(RestCase):
    """A client that was sent interactions."""

    async def arrange(self, **options: Any) -> tuple[Simulator, RawClient]:
        simulator, client = await self.listening(**options)
        for route in tuple(simulator.rest.routes):
            if route.template.startswith(("/webhooks", "/channels/{}/messages", "/applications")):
                simulator.rest.limit(route.method, route.template, 0)
        return simulator, client

    def interact(self, simulator: Simulator, token: str = "t1", type: int = 2, **more: Any) -> str:
        """Somebody uses a command of the bot's; the interaction's id."""
        guild = simulator.guild(0)
        id = str(simulator.world.ids.live(simulator.hub.world_time()))
        d = {"id": id, "application_id": simulator.world.bot["id"], "type": type, "token": token, "version": 1}
        d |= {"guild_id": str(guild.id), "channel_id": str(channel_of(guild))}
        d["member"] = guild.members[int(guild.fields["owner_id"])]
        simulator.dispatch(0, "INTERACTION_CREATE", {**d, **more})
        return id

    async def answer(
        self, simulator: Simulator, id: str, value: object, token: str = "t1", query: str = "", **more: Any
    ) -> Reply:
        path = f"/interactions/{id}/{token}/callback{query}"
        return await self.post(simulator, path, value, headers=TOKENLESS, **more)

    def own(self, simulator: Simulator, token: str = "t1") -> str:
        """The path of the webhook that follows."""
        return f"/webhooks/{simulator.world.bot['id']}/{token}"


class CallbackTests(InteractionCase):
    """The first answer."""

    async def test_message(self) -> None:
        """Type 4 writes a message of the bot's, without Authorization; once only."""
        simulator, client = await self.arrange()
        id = self.interact(simulator)
        self.assertEqual((await self.answer(simulator, id, {"type": 4, "data": {"content": "hi"}})).status, 204)
        event = (await client.first("MESSAGE_CREATE"))["d"]
        self.assertEqual(
            (event["content"], event["type"], event["author"]["id"]), ("hi", 20, simulator.world.bot["id"])
        )
        self.assertEqual((event["interaction_metadata"]["id"], event["webhook_id"]), (id, simulator.world.bot["id"]))
        again = await self.answer(simulator, id, {"type": 4, "data": {"content": "hi"}})
        self.assertEqual(again.code, (400, 40060))
        self.assertEqual(simulator.breaches, [])

    async def test_with_response(self) -> None:
        """The answer may be asked for; an ephemeral one is in no channel."""
        simulator, _ = await self.arrange()
        id = self.interact(simulator)
        value = {"type": 4, "data": {"content": "hush", "flags": 64}}
        reply = await self.answer(simulator, id, value, query="?with_response=true")
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.json["resource"]["message"]["content"], "hush")
        self.assertTrue(reply.json["interaction"]["response_message_ephemeral"])
        self.assertEqual((await self.ask(simulator, messages_of(simulator.guild(0)))).json, [])
        original = f"{self.own(simulator)}/messages/@original"
        shown = await self.ask(simulator, original, headers=TOKENLESS)
        self.assertEqual((shown.json["content"], shown.json["flags"]), ("hush", 64))
        await self.ask(simulator, original, "PATCH", TOKENLESS, json={"content": "still"})
        self.assertEqual((await self.ask(simulator, original, headers=TOKENLESS)).json["content"], "still")
        self.assertEqual((await self.ask(simulator, original, "DELETE", TOKENLESS)).status, 204)
        self.assertEqual((await self.ask(simulator, original, headers=TOKENLESS)).code, (404, 10008))

    async def test_with_a_file(self) -> None:
        """The message may come in a multipart body."""
        simulator, client = await self.arrange()
        id = self.interact(simulator)
        path = f"/interactions/{id}/t1/callback"
        data, files = {"payload_json": '{"type":4,"data":{}}'}, {"files[0]": ("x.txt", BytesIO(b"text"))}
        self.assertEqual((await self.ask(simulator, path, "POST", TOKENLESS, data=data, files=files)).status, 204)
        self.assertEqual((await client.first("MESSAGE_CREATE"))["d"]["attachments"][0]["filename"], "x.txt")

    async def test_deferred(self) -> None:
        """Type 5 writes a placeholder; the first follow-up takes its place, the next one is a new message."""
        simulator, client = await self.arrange()
        id = self.interact(simulator)
        self.assertEqual((await self.answer(simulator, id, {"type": 5})).status, 204)
        placeholder = (await client.first("MESSAGE_CREATE"))["d"]
        self.assertEqual((placeholder["content"], placeholder["flags"]), ("", 128))
        followed = [
            (await self.post(simulator, self.own(simulator), {"content": text}, headers=TOKENLESS)).json
            for text in ("first", "second")
        ]
        self.assertEqual((followed[0]["id"], followed[0]["flags"]), (placeholder["id"], 0))
        self.assertEqual((await client.first("MESSAGE_UPDATE"))["d"]["content"], "first")
        self.assertNotEqual(followed[1]["id"], placeholder["id"])
        await client.count("MESSAGE_CREATE", 2)

    async def test_component(self) -> None:
        """A component's answer may change the message it stands in, now or later."""
        simulator, client = await self.arrange()
        path = messages_of(simulator.guild(0))
        message = (await self.post(simulator, path, {"content": "press"})).json
        id = self.interact(simulator, "t1", 3, message=message)
        self.assertEqual((await self.answer(simulator, id, {"type": 7, "data": {"content": "pressed"}})).status, 204)
        self.assertEqual((await client.first("MESSAGE_UPDATE"))["d"]["content"], "pressed")
        id = self.interact(simulator, "t2", 3, message=message)
        self.assertEqual((await self.answer(simulator, id, {"type": 6}, "t2")).status, 204)
        original = f"{self.own(simulator, 't2')}/messages/@original"
        reply = await self.ask(simulator, original, "PATCH", TOKENLESS, json={"content": "later"})
        self.assertEqual((reply.json["id"], reply.json["content"]), (message["id"], "later"))

    async def test_other_answers(self) -> None:
        """Choices for a half-typed option, a form, a pong; nothing is written."""
        simulator, client = await self.arrange()
        modal = {"custom_id": "m", "title": "Form", "components": [{"type": 1, "components": []}]}
        for type, answer in (
            (4, {"type": 8, "data": {"choices": []}}),
            (2, {"type": 9, "data": modal}),
            (1, {"type": 1}),
        ):
            id = self.interact(simulator, f"t{type}", type)
            self.assertEqual((await self.answer(simulator, id, answer, f"t{type}")).status, 204)
            original = f"{self.own(simulator, f't{type}')}/messages/@original"
            self.assertEqual((await self.ask(simulator, original, headers=TOKENLESS)).code, (404, 10008))
        self.assertEqual(client.all("MESSAGE_CREATE"), [])

    async def test_refused(self) -> None:
        """A token nobody was sent, another's id, an answer that doesn't fit; each leaves the interaction open."""
        simulator, _ = await self.arrange()
        id = self.interact(simulator)
        for value, token, asked, code in (
            ({"type": 4, "data": {"content": "x"}}, "t0", id, (404, 10062)),
            ({"type": 4, "data": {"content": "x"}}, "t1", "4711", (404, 10062)),
            ({}, "t1", id, (400, 50035)),
            ({"type": 8, "data": {}}, "t1", id, (400, 50035)),
            ({"type": 4, "data": {}}, "t1", id, (400, 50006)),
            ({"type": 9, "data": {}}, "t1", id, (400, 50035)),
        ):
            self.assertEqual((await self.answer(simulator, asked, value, token)).code, code)
        self.assertEqual((await self.answer(simulator, id, {"type": 4, "data": {"content": "x"}})).status, 204)

    async def test_too_late(self) -> None:
        """After three seconds it is unknown; after fifteen minutes its token is no good."""
        simulator, _ = await self.arrange()
        late, answered = self.interact(simulator, "t1"), self.interact(simulator, "t2")
        await self.answer(simulator, answered, {"type": 4, "data": {"content": "x"}}, "t2")
        now, passed = simulator.hub.world_time, 3.5
        self.patch(simulator.hub, "world_time", lambda: now() + passed)
        self.assertEqual((await self.answer(simulator, late, {"type": 5})).code, (404, 10062))
        follow_up = self.own(simulator, "t2")
        self.assertEqual((await self.post(simulator, follow_up, {"content": "y"}, headers=TOKENLESS)).status, 200)
        passed = 901.0
        self.assertEqual(
            (await self.post(simulator, follow_up, {"content": "y"}, headers=TOKENLESS)).code, (404, 10015)
        )

    async def test_in_a_quick_world(self) -> None:
        """Three seconds are the client's, however quickly the world's pass."""
        simulator, _ = await self.arrange(speed=1000.0)
        id = self.interact(simulator)
        begun = simulator.hub.world_time()
        await simulator.until(lambda: simulator.hub.world_time() > begun + 30, what="half a minute of the world")
        self.assertEqual((await self.answer(simulator, id, {"type": 5})).status, 204)

    async def test_strange_events(self) -> None:
        """What a test sends under the name of an interaction may be anything; only one with its token is found."""
        simulator, _ = await self.arrange()
        for d in (b"[", b'{"x":"t1"}', b'{"id":"1","token":["t1"]}', b'["t1"]'):
            simulator.dispatch(0, "INTERACTION_CREATE", d)
        self.assertEqual((await self.answer(simulator, "1", {"type": 5})).code, (404, 10062))
        id = self.interact(simulator)
        simulator.dispatch(0, "INTERACTION_CREATE", b'{"x":"t1"}')
        self.assertEqual((await self.answer(simulator, id, {"type": 5})).status, 204)

    async def test_nowhere(self) -> None:
        """One that belongs to no channel can't be answered by a message."""
        simulator, _ = await self.arrange()
        id = self.interact(simulator, channel_id=None)
        reply = await self.answer(simulator, id, {"type": 4, "data": {"content": "x"}})
        self.assertEqual(reply.code, (404, 10003))

    async def test_follow_ups_by_id(self) -> None:
        """Follow-ups are deleted by their ids; others' messages are none of the application's."""
        simulator, client = await self.arrange()
        id = self.interact(simulator)
        await self.answer(simulator, id, {"type": 4, "data": {"content": "x"}})
        own = self.own(simulator)
        followed = (await self.post(simulator, own, {"content": "y"}, headers=TOKENLESS)).json["id"]
        guild = simulator.guild(0)
        owner = int(guild.fields["owner_id"])
        theirs = simulator.hub.deeds.post_message(channel_of(guild), "z", author=owner)["id"]
        deleted = await self.ask(simulator, f"{own}/messages/{followed}", "DELETE", TOKENLESS)
        self.assertEqual((deleted.status, (await client.first("MESSAGE_DELETE"))["d"]["id"]), (204, followed))
        for message in (followed, theirs):
            reply = await self.ask(simulator, f"{own}/messages/{message}", headers=TOKENLESS)
            self.assertEqual(reply.code, (404, 10008))

    async def test_follow_up_first(self) -> None:
        """What follows an interaction must come after its answer."""
        simulator, _ = await self.arrange()
        self.interact(simulator)
        reply = await self.post(simulator, self.own(simulator), {"content": "x"}, headers=TOKENLESS)
        self.assertEqual(reply.code, (404, 10015))


class WebhookTests(InteractionCase):
    """Webhooks of channels."""

    async def test_life(self) -> None:
        """Made, listed, called, and deleted; the gateway tells of each."""
        simulator, client = await self.arrange()
        channel = f"/channels/{channel_of(simulator.guild(0))}"
        hook = (await self.post(simulator, f"{channel}/webhooks", {"name": "CI"})).json
        self.assertEqual((await client.first("WEBHOOKS_UPDATE"))["d"]["channel_id"], hook["channel_id"])
        self.assertEqual((await self.ask(simulator, f"{channel}/webhooks")).json, [hook])
        path = f"/webhooks/{hook['id']}/{hook['token']}"
        self.assertEqual((await self.ask(simulator, path, headers=TOKENLESS)).json["name"], "CI")
        silent = await self.post(simulator, path, {"content": "one", "username": "bob"}, headers=TOKENLESS)
        waited = await self.post(simulator, f"{path}?wait=true", {"content": "two"}, headers=TOKENLESS)
        self.assertEqual((silent.status, waited.status, waited.json["author"]["username"]), (204, 200, "CI"))
        await client.count("MESSAGE_CREATE", 2)
        one, _ = (event["d"] for event in client.all("MESSAGE_CREATE"))
        self.assertEqual((one["author"]["username"], one["webhook_id"], "member" in one), ("bob", hook["id"], False))
        message = f"{path}/messages/{waited.json['id']}"
        edited = await self.ask(simulator, message, "PATCH", TOKENLESS, json={"content": "three"})
        self.assertEqual((await self.ask(simulator, message, headers=TOKENLESS)).json, edited.json)
        self.assertEqual((await self.ask(simulator, message, "DELETE", TOKENLESS)).status, 204)
        self.assertEqual((await client.first("MESSAGE_DELETE"))["d"]["id"], waited.json["id"])
        self.assertEqual((await self.ask(simulator, f"/webhooks/{hook['id']}", "DELETE")).status, 204)
        await client.count("WEBHOOKS_UPDATE", 2)
        self.assertEqual(simulator.breaches, [])

    async def test_refused(self) -> None:
        """A wrong token is 401, an unknown webhook 404 and a breach when it is called again."""
        simulator, _ = await self.arrange()
        channel = f"/channels/{channel_of(simulator.guild(0))}/webhooks"
        self.assertEqual((await self.post(simulator, channel, {})).code, (400, 50035))
        hook = (await self.post(simulator, channel, {"name": "CI"})).json
        wrong = await self.post(simulator, f"/webhooks/{hook['id']}/wrong", {"content": "x"}, headers=TOKENLESS)
        self.assertEqual(wrong.code, (401, 50027))
        for times in (0, 1):
            gone = await self.post(simulator, "/webhooks/4711/secret", {"content": "x"}, headers=TOKENLESS)
            self.assertEqual((gone.code, breaches(simulator)), ((404, 10015), ["rest-dead-webhook"] * times))
        self.assertNotIn("secret", repr(simulator.breaches))
        elsewhere = f"/webhooks/{hook['id']}/{hook['token']}?thread_id={channel_of(simulator.guild(0), 11)}"
        self.assertEqual(
            (await self.post(simulator, elsewhere, {"content": "x"}, headers=TOKENLESS)).code, (404, 10003)
        )

    async def test_where(self) -> None:
        """Fifteen in a channel, none in a direct one; others' messages are not the webhook's."""
        simulator, _ = await self.arrange()
        guild = simulator.guild(0)
        simulator.rest.limit("POST", "/channels/{}/webhooks", 0)
        path = f"/channels/{channel_of(guild)}/webhooks"
        replies = [await self.post(simulator, path, {"name": f"n{number}"}) for number in range(16)]
        self.assertEqual([reply.status for reply in replies], [200] * 15 + [400])
        self.assertEqual(replies[15].code, (400, 30007))
        direct = simulator.hub.deeds.open_direct(int(guild.fields["owner_id"]))["id"]
        reply = await self.post(simulator, f"/channels/{direct}/webhooks", {"name": "x"})
        self.assertEqual(reply.code, (403, 50003))
        hook = replies[0].json
        bots = (await self.post(simulator, messages_of(guild), {"content": "x"})).json["id"]
        path = f"/webhooks/{hook['id']}/{hook['token']}/messages/{bots}"
        self.assertEqual((await self.ask(simulator, path, headers=TOKENLESS)).code, (404, 10008))

    async def test_limit(self) -> None:
        """Five calls in two seconds, each webhook for itself."""
        simulator = await self.start()
        calling = [route for route in simulator.rest.routes if route.template.startswith("/webhooks/{}/")]
        self.assertEqual({(route.limit, route.per) for route in calling}, {(5, 2.0)})
        routes = simulator.rest.routes
        routes[:] = [evolve(route, per=600.0) if route in calling else route for route in routes]
        channel = f"/channels/{channel_of(simulator.guild(0))}/webhooks"
        one, two = [(await self.post(simulator, channel, {"name": name})).json for name in "ab"]
        called = [f"/webhooks/{hook['id']}/{hook['token']}" for hook in (one, two)]
        replies = [await self.post(simulator, called[0], {"content": "x"}, headers=TOKENLESS) for _ in range(5)]
        replies.append(await self.post(simulator, called[1], {"content": "x"}, headers=TOKENLESS))
        self.assertEqual([reply.header("X-RateLimit-Remaining") for reply in replies], list("432104"))
        self.assertEqual({reply.header("X-RateLimit-Limit") for reply in replies}, {"5"})


class CommandTests(InteractionCase):
    """Application commands."""

    async def test_replaced(self) -> None:
        """All at once; what stays by name and type keeps its id."""
        simulator, _ = await self.arrange()
        path = f"/applications/{simulator.world.bot['id']}/commands"
        greet, wave = {"name": "greet", "description": "hello"}, {"name": "Wave at", "type": 2}
        first = (await self.ask(simulator, path, "PUT", json=[greet, wave])).json
        second = (await self.ask(simulator, path, "PUT", json=[{**greet, "description": "hi"}])).json
        self.assertEqual([(command["name"], command["type"]) for command in first], [("greet", 1), ("Wave at", 2)])
        self.assertEqual((second[0]["id"], second[0]["description"]), (first[0]["id"], "hi"))
        self.assertNotEqual(second[0]["version"], first[0]["version"])
        self.assertEqual((await self.ask(simulator, path)).json, second)
        self.assertEqual((await self.ask(simulator, path, "PUT", json=[])).json, [])

    async def test_one(self) -> None:
        """Made, made again, shown, changed, deleted; in a guild for itself."""
        simulator, _ = await self.arrange()
        base = f"/applications/{simulator.world.bot['id']}"
        path = f"{base}/guilds/{simulator.guild(0).id}/commands"
        greet = {"name": "greet", "description": "hello"}
        made, again = await self.post(simulator, path, greet), await self.post(simulator, path, greet)
        self.assertEqual((made.status, again.status, made.json["id"]), (201, 200, again.json["id"]))
        one = f"{path}/{made.json['id']}"
        changed = await self.ask(simulator, one, "PATCH", json={"description": "bye"})
        self.assertEqual((changed.json["name"], changed.json["description"]), ("greet", "bye"))
        self.assertEqual((await self.ask(simulator, one)).json, changed.json)
        self.assertEqual((await self.ask(simulator, f"{base}/commands")).json, [])
        self.assertEqual((await self.ask(simulator, one, "DELETE")).status, 204)
        self.assertEqual((await self.ask(simulator, one)).code, (404, 10063))

    async def test_refused(self) -> None:
        """Another's application, a guild without the bot, bad names, too many, twice the same."""
        simulator, _ = await self.arrange()
        path = f"/applications/{simulator.world.bot['id']}/commands"
        self.assertEqual((await self.ask(simulator, "/applications/4711/commands")).code, (403, 20012))
        elsewhere = path.replace("/commands", "/guilds/4711/commands")
        self.assertEqual((await self.ask(simulator, elsewhere)).code, (403, 50001))
        fine = {"name": "greet", "description": "hello"}
        many = [{"name": f"c{number}", "description": "x"} for number in range(101)]
        wrong: list[object] = [
            {},
            [{}],
            [{"name": "greet"}],
            [{**fine, "name": "Greet"}],
            [{**fine, "type": 5}],
            [fine, fine],
            many,
        ]
        for value in wrong:
            self.assertEqual((await self.ask(simulator, path, "PUT", json=value)).code, (400, 50035))
        self.assertEqual((await self.ask(simulator, path)).json, [])
