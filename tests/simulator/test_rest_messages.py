"""Messages and reactions by REST, and what the gateway tells of them."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from rateway.simulator.simulator import Simulator
from tests.simulator.client import RawClient
from tests.simulator.rest import Reply, RestCase, channel_of, messages_of

THUMB = "%F0%9F%91%8D"
PARTY = "%F0%9F%8E%89"


class MessageCase(RestCase):
    """A simulator without limits on messages, and a client that listens."""

    async def arrange(self, **options: Any) -> tuple[Simulator, RawClient, str]:
        """The simulator, the gateway client, and the path of a channel's messages."""
        simulator, client = await self.listening(**options)
        self.unlimit(simulator)
        return simulator, client, messages_of(simulator.guild(0))

    def unlimit(self, simulator: Simulator) -> None:
        for route in tuple(simulator.rest.routes):
            if "/messages" in route.template:
                simulator.rest.limit(route.method, route.template, 0)


class WritingTests(MessageCase):
    """POST."""

    async def test_written(self) -> None:
        """The message is the answer and is remembered; MESSAGE_CREATE brings it with what only the gateway adds."""
        simulator, client, path = await self.arrange()
        owner = simulator.guild(0).fields["owner_id"]
        reply = await self.post(simulator, path, {"content": f" hello <@{owner}> ", "nonce": "n1", "tts": True})
        message = reply.json
        self.assertEqual((reply.status, message["content"]), (200, f"hello <@{owner}>"))
        self.assertEqual(
            [message[key] for key in ("author", "nonce", "tts", "type")], [simulator.world.bot, "n1", True, 0]
        )
        self.assertEqual([user["id"] for user in message["mentions"]], [owner])
        event = (await client.first("MESSAGE_CREATE"))["d"]
        self.assertEqual(
            {key: event[key] for key in message if key != "mentions"},
            {k: v for k, v in message.items() if k != "mentions"},
        )
        self.assertEqual((event["guild_id"], event["member"]["nick"]), (str(simulator.guild(0).id), None))
        self.assertEqual((await self.ask(simulator, f"{path}/{message['id']}")).json, message)

    async def test_intents(self) -> None:
        """Who doesn't have the intent isn't told."""
        simulator = await self.start()
        client = await self.ready(simulator, intents=1)
        await self.post(simulator, messages_of(simulator.guild(0)), {"content": "x"})
        simulator.dispatch(0, "LAST", {})
        await client.first("LAST")
        self.assertEqual(client.all("MESSAGE_CREATE"), [])

    async def test_everything_in_it(self) -> None:
        """Embeds, components, a poll, a sticker, flags."""
        simulator, client, path = await self.arrange()
        value = {
            "embeds": [{"title": "t", "fields": [{"name": "a", "value": "b"}]}],
            "components": [{"type": 1, "components": []}],
            "poll": {"question": {"text": "tea?"}, "answers": [{"poll_media": {"text": "yes"}}]},
            "sticker_ids": ["123"],
            "flags": 4 | 64 | 4096,
            "allowed_mentions": {"parse": []},
        }
        message = (await self.post(simulator, path, value)).json
        self.assertEqual(message["embeds"], [{"type": "rich", **value["embeds"][0]}])  # type: ignore[index]
        self.assertEqual((message["components"], message["flags"]), (value["components"], 4 | 4096))
        self.assertEqual((message["poll"]["question"], message["sticker_items"][0]["id"]), ({"text": "tea?"}, "123"))
        self.assertEqual((await client.first("MESSAGE_CREATE"))["d"]["poll"]["answers"], message["poll"]["answers"])

    async def test_reply(self) -> None:
        """A reply refers to a message of the channel; to none only where the request says so."""
        simulator, _, path = await self.arrange()
        first = (await self.post(simulator, path, {"content": "first"})).json["id"]
        reply = (
            await self.post(simulator, path, {"content": "second", "message_reference": {"message_id": first}})
        ).json
        self.assertEqual((reply["type"], reply["message_reference"]["message_id"]), (19, first))
        self.assertEqual(reply["referenced_message"]["content"], "first")
        lost = {"content": "third", "message_reference": {"message_id": "4711"}}
        refused = await self.post(simulator, path, lost)
        self.assertEqual((refused.code, list(refused.json["errors"])), ((400, 50035), ["message_reference"]))
        lost["message_reference"] |= {"fail_if_not_exists": False}  # type: ignore[operator]
        self.assertEqual((await self.post(simulator, path, lost)).json["type"], 0)

    async def test_enforced_nonce(self) -> None:
        """A repeated nonce writes no second message if the request says so; in another channel it does."""
        simulator, client, path = await self.arrange(guilds=2)
        value = {"content": "once", "nonce": 17, "enforce_nonce": True}
        ids = [(await self.post(simulator, path, value)).json["id"] for _ in range(2)]
        self.assertEqual(ids[0], ids[1])
        other = (await self.post(simulator, messages_of(simulator.guild(1)), value)).json["id"]
        careless = (await self.post(simulator, path, {**value, "enforce_nonce": False})).json["id"]
        self.assertEqual(len({ids[0], other, careless}), 3)
        await client.count("MESSAGE_CREATE", 3)
        simulator.dispatch(0, "LAST", {})
        await client.first("LAST")
        self.assertEqual(len(client.all("MESSAGE_CREATE")), 3)

    async def test_refused(self) -> None:
        """What Discord's limits forbid: 50006 for nothing at all, else 50035 with the field's path; nobody is told."""
        simulator, client, path = await self.arrange()
        for value, where in (
            ({}, None),
            ({"content": "  \n"}, None),
            ({"content": None, "embeds": []}, None),
            ({"content": "x" * 2001}, "content"),
            ({"content": ["x"]}, "content"),
            ({"content": "x", "tts": "perhaps"}, "tts"),
            ({"content": "x", "nonce": "x" * 26}, "nonce"),
            ({"content": "x", "flags": "x"}, "flags"),
            ({"content": "x", "embeds": {}}, "embeds"),
            ({"embeds": [{"title": "x"}] * 11}, "embeds"),
            ({"embeds": [{"title": "x" * 257}]}, "embeds.0.title"),
            ({"embeds": [{}, {"fields": [{"name": "x"}]}]}, "embeds.1.fields.0.value"),
            ({"embeds": [{"footer": {"text": "x" * 2049}}]}, "embeds.0.footer.text"),
            ({"embeds": [{"description": "x" * 4000}, {"description": "x" * 2001}]}, "embeds"),
            ({"content": "x", "sticker_ids": ["x"]}, "sticker_ids.0"),
            ({"content": "x", "components": [1]}, "components.0"),
            ({"content": "x", "allowed_mentions": []}, "allowed_mentions"),
            ({"content": "x", "message_reference": {}}, "message_reference.message_id"),
            ({"poll": {"question": {"text": "?"}, "answers": []}}, "poll.answers"),
            ({"poll": {"question": {}, "answers": []}}, "poll.question.text"),
            ({"content": "x", "attachments": [{}]}, "attachments.0.id"),
        ):
            reply = await self.post(simulator, path, value)
            self.assertEqual(reply.code, (400, 50035 if where else 50006), value)
            errors = reply.json.get("errors", {})
            for part in where.split(".") if where else ():
                errors = errors[part]
            self.assertEqual("_errors" in errors, where is not None, value)
        for limit in ({"content": "x" * 2000}, {"content": 5}, {"embeds": [{"description": "x" * 4096}]}):
            self.assertEqual((await self.post(simulator, path, limit)).status, 200)
        await client.count("MESSAGE_CREATE", 3)
        self.assertEqual(len(client.all("MESSAGE_CREATE")), 3)

    async def test_places(self) -> None:
        """Text, news, voice, stages and threads take messages; categories and forums don't, nor what isn't there."""
        simulator, _, _ = await self.arrange()
        guild = simulator.guild(0)
        types = (0, 5, 2, 13, 10, 11, 12, 4, 15, 16)
        replies = [
            await self.post(simulator, f"/channels/{channel_of(guild, t)}/messages", {"content": "x"}) for t in types
        ]
        self.assertEqual([reply.status for reply in replies], [200] * 7 + [400] * 3)
        self.assertEqual(replies[-1].code, (400, 50008))
        hidden = next(id for id, channel in guild.channels.items() if channel["name"] == "___hidden___")
        for id, code in ((hidden, (403, 50001)), (4711, (404, 10003)), ("x", (400, 50035))):
            self.assertEqual((await self.post(simulator, f"/channels/{id}/messages", {"content": "x"})).code, code)


class HistoryTests(MessageCase):
    """GET, PATCH, DELETE."""

    async def write(self, simulator: Simulator, path: str, count: int) -> list[str]:
        return [(await self.post(simulator, path, {"content": f"m{n}"})).json["id"] for n in range(count)]

    async def test_listed(self) -> None:
        """Newest first; before, after and around an id; no more than asked for."""
        simulator, _, path = await self.arrange()
        ids = await self.write(simulator, path, 6)

        async def listed(query: str) -> list[int]:
            return [ids.index(message["id"]) for message in (await self.ask(simulator, f"{path}{query}")).json]

        self.assertEqual(await listed(""), [5, 4, 3, 2, 1, 0])
        self.assertEqual(await listed("?limit=2"), [5, 4])
        self.assertEqual(await listed(f"?limit=2&before={ids[3]}"), [2, 1])
        self.assertEqual(await listed(f"?limit=2&after={ids[1]}"), [3, 2])
        self.assertEqual(sorted(await listed(f"?limit=3&around={ids[3]}")), [2, 3, 4])
        self.assertEqual((await self.ask(simulator, f"{path}?limit=101")).code, (400, 50035))

    async def test_edited(self) -> None:
        """Only what is named changes; MESSAGE_UPDATE brings the whole message."""
        simulator, client, path = await self.arrange()
        id = (await self.post(simulator, path, {"content": "before", "embeds": [{"title": "t"}]})).json["id"]
        reply = await self.ask(simulator, f"{path}/{id}", "PATCH", json={"content": "after"})
        self.assertEqual((reply.json["content"], reply.json["embeds"][0]["title"]), ("after", "t"))
        event = (await client.first("MESSAGE_UPDATE"))["d"]
        self.assertEqual([event[key] for key in ("id", "content")], [id, "after"])
        self.assertEqual(event["edited_timestamp"], reply.json["edited_timestamp"])
        self.assertIsNotNone(event["edited_timestamp"])
        self.assertEqual((await self.ask(simulator, f"{path}/{id}")).json, reply.json)

    async def test_files(self) -> None:
        """New files are added; of the old ones those stay that the edit names, all if it doesn't speak of them."""
        simulator, _, path = await self.arrange()

        async def send(path: str, method: str, name: str, value: object) -> list[str]:
            data, files = {"payload_json": json.dumps(value)}, {"files[0]": (name, BytesIO(b"x"))}
            self.message = (await self.ask(simulator, path, method, data=data, files=files)).json
            return [file["filename"] for file in self.message["attachments"]]

        self.assertEqual(await send(path, "POST", "a.txt", {}), ["a.txt"])
        one = f"{path}/{self.message['id']}"
        self.assertEqual(await send(one, "PATCH", "b.txt", {"content": "x"}), ["a.txt", "b.txt"])
        kept = [{"id": self.message["attachments"][1]["id"]}, {"id": 0}]
        self.assertEqual(await send(one, "PATCH", "c.txt", {"attachments": kept}), ["b.txt", "c.txt"])
        ids = [file["id"] for file in self.message["attachments"]]
        self.assertEqual((ids[0], len(set(ids))), (kept[0]["id"], 2))
        emptied = await self.ask(simulator, one, "PATCH", json={"attachments": []})
        self.assertEqual(emptied.json["attachments"], [])

    async def test_edits_refused(self) -> None:
        """Others' messages, those that aren't there, and an edit that leaves nothing."""
        simulator, client, path = await self.arrange()
        guild = simulator.guild(0)
        other = simulator.hub.deeds.post_message(channel_of(guild), "mine", author=int(guild.fields["owner_id"]))["id"]
        own = (await self.post(simulator, path, {"content": "x"})).json["id"]
        for id, code in ((other, (403, 50005)), ("4711", (404, 10008)), ("x", (400, 50035))):
            self.assertEqual((await self.ask(simulator, f"{path}/{id}", "PATCH", json={"content": "y"})).code, code)
        reply = await self.ask(simulator, f"{path}/{own}", "PATCH", json={"content": ""})
        self.assertEqual(reply.code, (400, 50006))
        suppressed = await self.ask(simulator, f"{path}/{other}", "PATCH", json={"flags": 4})
        self.assertEqual(suppressed.json["flags"], 4)
        await client.count("MESSAGE_UPDATE", 1)
        self.assertEqual(len(client.all("MESSAGE_UPDATE")), 1)

    async def test_deleted(self) -> None:
        """MESSAGE_DELETE; then it is unknown. In a direct channel only the bot's own."""
        simulator, client, path = await self.arrange()
        (id,) = await self.write(simulator, path, 1)
        self.assertEqual((await self.ask(simulator, f"{path}/{id}", "DELETE")).status, 204)
        event = (await client.first("MESSAGE_DELETE"))["d"]
        self.assertEqual((event["id"], event["guild_id"]), (id, str(simulator.guild(0).id)))
        for method in ("GET", "DELETE"):
            self.assertEqual((await self.ask(simulator, f"{path}/{id}", method)).code, (404, 10008))
        user = int(simulator.guild(0).fields["owner_id"])
        direct = simulator.hub.deeds.open_direct(user)["id"]
        theirs = simulator.hub.deeds.post_message(int(direct), "hello", author=user)["id"]
        reply = await self.ask(simulator, f"/channels/{direct}/messages/{theirs}", "DELETE")
        self.assertEqual(reply.code, (403, 50003))

    async def test_many_deleted(self) -> None:
        """MESSAGE_DELETE_BULK of what was there."""
        simulator, client, path = await self.arrange()
        ids = await self.write(simulator, path, 3)
        unknown = str(int(ids[0]) - 1)
        reply = await self.post(simulator, f"{path}/bulk-delete", {"messages": [*ids[:2], unknown]})
        self.assertEqual(reply.status, 204)
        self.assertEqual((await client.first("MESSAGE_DELETE_BULK"))["d"]["ids"], ids[:2])
        self.assertEqual([message["id"] for message in (await self.ask(simulator, path)).json], ids[2:])

    async def test_many_refused(self) -> None:
        """Fewer than two, more than a hundred, older than two weeks, in a direct channel."""
        simulator, _, path = await self.arrange()
        (id,) = await self.write(simulator, path, 1)
        old = str(int(id) - (15 * 86_400_000 << 22))
        lists = (([id], 50035), ([id] * 101, 50035), (["x", id], 50035), ([id, old], 50034), (None, 50035))
        for ids, code in lists:
            reply = await self.post(simulator, f"{path}/bulk-delete", {"messages": ids} if ids else {})
            self.assertEqual(reply.code, (400, code))
        direct = simulator.hub.deeds.open_direct(int(simulator.guild(0).fields["owner_id"]))["id"]
        reply = await self.post(simulator, f"/channels/{direct}/messages/bulk-delete", {"messages": [id, id]})
        self.assertEqual(reply.code, (403, 50003))


class ReactionTests(MessageCase):
    """Reactions."""

    async def test_added_and_removed(self) -> None:
        """Own reactions come and go once each, of Unicode or of the guild; the message shows them."""
        simulator, client, path = await self.arrange()
        id = (await self.post(simulator, path, {"content": "x"})).json["id"]
        emoji, name = next((id, emoji["name"]) for id, emoji in simulator.guild(0).emojis.items())
        for reaction in (THUMB, THUMB, f"{name}:{emoji}"):
            self.assertEqual((await self.react(simulator, f"{path}/{id}", reaction)).status, 204)
        await client.count("MESSAGE_REACTION_ADD", 2)
        added = [event["d"]["emoji"] for event in client.all("MESSAGE_REACTION_ADD")]
        self.assertEqual(added, [{"id": None, "name": "\N{THUMBS UP SIGN}"}, {"id": str(emoji), "name": name}])
        shown = (await self.ask(simulator, f"{path}/{id}")).json["reactions"]
        self.assertEqual([(reaction["count"], reaction["me"]) for reaction in shown], [(1, True)] * 2)
        await self.react(simulator, f"{path}/{id}", THUMB, "DELETE")
        event = (await client.first("MESSAGE_REACTION_REMOVE"))["d"]
        self.assertEqual((event["user_id"], event["message_id"]), (simulator.world.bot["id"], id))

    async def react(self, simulator: Simulator, path: str, emoji: str, method: str = "PUT", user: str = "@me") -> Reply:
        return await self.ask(simulator, f"{path}/reactions/{emoji}/{user}", method)

    async def test_of_others(self) -> None:
        """Others' reactions are listed and removed, one, one emoji's, or all."""
        simulator, client, path = await self.arrange()
        id = int((await self.post(simulator, path, {"content": "x"})).json["id"])
        channel, deeds = channel_of(simulator.guild(0)), simulator.hub.deeds
        people = sorted(id for id in simulator.guild(0).members if id != simulator.world.bot_id)[:3]
        for person in people:
            for emoji in "\N{THUMBS UP SIGN}\N{PARTY POPPER}":
                deeds.add_reaction(channel, id, emoji, person)
        one = f"{path}/{id}/reactions/{THUMB}"
        listed = (await self.ask(simulator, f"{one}?limit=2&after={people[0]}")).json
        self.assertEqual([int(user["id"]) for user in listed], people[1:])
        self.assertEqual((await self.ask(simulator, f"{one}/{people[0]}", "DELETE")).status, 204)
        event = (await client.first("MESSAGE_REACTION_REMOVE"))["d"]
        self.assertEqual(event["user_id"], str(people[0]))
        self.assertEqual((await self.ask(simulator, one, "DELETE")).status, 204)
        event = (await client.first("MESSAGE_REACTION_REMOVE_EMOJI"))["d"]
        self.assertEqual(event["emoji"]["name"], "\N{THUMBS UP SIGN}")
        self.assertEqual((await self.ask(simulator, f"{path}/{id}/reactions", "DELETE")).status, 204)
        self.assertEqual((await client.first("MESSAGE_REACTION_REMOVE_ALL"))["d"]["message_id"], str(id))
        self.assertEqual((await self.ask(simulator, f"{path}/{id}/reactions/{PARTY}")).json, [])

    async def test_refused(self) -> None:
        """An emoji that is none, of nowhere; a message, a user that isn't there; others' in a direct channel."""
        simulator, _, path = await self.arrange()
        id = (await self.post(simulator, path, {"content": "x"})).json["id"]
        for emoji in ("smile", "name:4711", "name:x", "x" * 33):
            self.assertEqual((await self.react(simulator, f"{path}/{id}", emoji)).code, (400, 10014))
        self.assertEqual((await self.react(simulator, f"{path}/4711", THUMB)).code, (404, 10008))
        self.assertEqual((await self.react(simulator, f"{path}/{id}", THUMB, "DELETE", "4711")).code, (404, 10013))
        direct = simulator.hub.deeds.open_direct(int(simulator.guild(0).fields["owner_id"]))["id"]
        reply = await self.ask(simulator, f"/channels/{direct}/messages/{id}/reactions", "DELETE")
        self.assertEqual(reply.code, (403, 50003))
