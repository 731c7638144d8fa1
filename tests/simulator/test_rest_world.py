"""What REST shows of the world: guilds, channels, members, users; and how channels are changed by it."""

from __future__ import annotations

from tests.simulator.rest import RestCase, channel_of


class GuildTests(RestCase):
    """``/guilds/{id}`` and below."""

    async def test_guild(self) -> None:
        """The guild as the gateway shows it, with counts on demand."""
        simulator = await self.start()
        guild = simulator.guild(0)
        shown = (await self.ask(simulator, f"/guilds/{guild.id}")).json
        counted = (await self.ask(simulator, f"/guilds/{guild.id}?with_counts=true")).json
        self.assertEqual((shown["id"], shown["owner_id"]), (str(guild.id), guild.fields["owner_id"]))
        self.assertEqual(len(shown["roles"]), len(guild.roles))
        self.assertEqual(counted["approximate_member_count"], guild.member_count)
        self.assertEqual(counted["approximate_presence_count"], len(guild.presences))
        self.assertEqual(counted.keys() - shown.keys(), {"approximate_member_count", "approximate_presence_count"})

    async def test_channels(self) -> None:
        """Every channel but threads and those the bot may not see."""
        simulator = await self.start()
        guild = simulator.guild(0)
        shown = (await self.ask(simulator, f"/guilds/{guild.id}/channels")).json
        self.assertEqual({channel["guild_id"] for channel in shown}, {str(guild.id)})
        missing = guild.channels.keys() - {int(channel["id"]) for channel in shown}
        self.assertEqual([guild.channels[id]["name"] for id in missing], ["___hidden___"])
        active = (await self.ask(simulator, f"/guilds/{guild.id}/threads/active")).json
        self.assertEqual({int(thread["id"]) for thread in active["threads"]}, set(guild.threads))

    async def test_roles(self) -> None:
        """All roles."""
        simulator = await self.start()
        guild = simulator.guild(0)
        shown = (await self.ask(simulator, f"/guilds/{guild.id}/roles")).json
        self.assertEqual(shown, list(guild.roles.values()))

    async def test_member(self) -> None:
        """One member; somebody else of the world is unknown as a member, anybody else as a user."""
        simulator = await self.start(guilds=2, members=3)
        guild = simulator.guild(0)
        inside = int(guild.fields["owner_id"])
        outside = next(id for id in simulator.world.users if id not in guild.members)
        member = await self.ask(simulator, f"/guilds/{guild.id}/members/{inside}")
        self.assertEqual(member.json, guild.members[inside])
        codes = [(await self.ask(simulator, f"/guilds/{guild.id}/members/{id}")).code for id in (outside, 4711)]
        self.assertEqual(codes, [(404, 10007), (404, 10013)])

    async def test_members(self) -> None:
        """Pages of members by rising id are the whole list, the bot and who joined later included."""
        simulator = await self.start(members=30)
        guild = simulator.guild(0)
        newcomer = simulator.world.users.new()
        guild.members[newcomer] = {**guild.members[int(guild.fields["owner_id"])], "roles": []}
        gone = next(id for id in guild.members if id not in (newcomer, simulator.world.bot_id))
        guild.remove_member(gone)
        simulator.rest.limit("GET", "/guilds/{}/members", 0)
        path, seen = f"/guilds/{guild.id}/members", [0]
        while page := (await self.ask(simulator, f"{path}?limit=7&after={seen[-1]}")).json:
            self.assertLessEqual(len(page), 7)
            seen += [int(member["user"]["id"]) for member in page]
        self.assertEqual(seen[1:], sorted(guild.members))
        self.assertEqual(len((await self.ask(simulator, path)).json), 1)

    async def test_members_of_a_crowd(self) -> None:
        """A page of a very large guild makes its own members only."""
        simulator = await self.start(guilds=1, members=0)
        guild = simulator.join_guild(300_000)
        made = guild.members.made
        page = (await self.ask(simulator, f"/guilds/{guild.id}/members?limit=1000")).json
        self.assertEqual(len(page), 1000)
        self.assertEqual([int(member["user"]["id"]) for member in page], sorted(int(m["user"]["id"]) for m in page))
        self.assertLessEqual(guild.members.made - made, 1000)

    async def test_members_need_the_intent(self) -> None:
        """Without GUILD_MEMBERS in the portal there is no list."""
        simulator = await self.start(allowed_intents=0)
        reply = await self.ask(simulator, f"/guilds/{simulator.guild(0).id}/members")
        self.assertEqual(reply.code, (403, 50001))

    async def test_bad_queries(self) -> None:
        """A limit out of bounds, an id that is none, a flag that is none: 50035, naming the field."""
        simulator = await self.start()
        base = f"/guilds/{simulator.guild(0).id}"
        for path, field in (
            (f"{base}/members?limit=0", "limit"),
            (f"{base}/members?limit=1001", "limit"),
            (f"{base}/members?limit=x", "limit"),
            (f"{base}/members?after=x", "after"),
            (f"{base}?with_counts=yes", "with_counts"),
            ("/guilds/x", "guild_id"),
            ("/guilds/99999999999999999999", "guild_id"),
        ):
            reply = await self.ask(simulator, path)
            self.assertEqual((reply.code, list(reply.json["errors"])), ((400, 50035), [field]), path)

    async def test_unknown(self) -> None:
        """A guild the bot isn't in."""
        simulator = await self.start()
        for path in ("", "/channels", "/roles", "/members", "/members/1", "/threads/active"):
            self.assertEqual((await self.ask(simulator, f"/guilds/4711{path}")).code, (404, 10004))


class UserTests(RestCase):
    """Users, and direct channels with them."""

    async def test_user(self) -> None:
        """Anybody of the world."""
        simulator = await self.start()
        id = simulator.guild(0).fields["owner_id"]
        self.assertEqual((await self.ask(simulator, f"/users/{id}")).json, simulator.world.users[int(id)])
        self.assertEqual((await self.ask(simulator, "/users/4711")).code, (404, 10013))
        self.assertEqual((await self.ask(simulator, "/users/nobody")).code, (400, 50035))

    async def test_direct(self) -> None:
        """The direct channel with a user is always the same; messages in it go to shard 0, without a guild."""
        simulator, client = await self.listening()
        user = simulator.guild(0).fields["owner_id"]
        one, two = [(await self.post(simulator, "/users/@me/channels", {"recipient_id": user})).json for _ in range(2)]
        self.assertEqual((one, one["type"], one["recipients"][0]["id"]), (two, 1, user))
        self.assertEqual((await self.ask(simulator, f"/channels/{one['id']}")).json, one)
        await self.post(simulator, f"/channels/{one['id']}/messages", {"content": "psst"})
        event = (await client.first("MESSAGE_CREATE"))["d"]
        self.assertEqual((event["content"], event["channel_id"], "guild_id" in event), ("psst", one["id"], False))

    async def test_direct_refused(self) -> None:
        """Without a user, with nobody, with itself."""
        simulator = await self.start()
        bot = simulator.world.bot["id"]
        for value, code in (({}, 50035), ({"recipient_id": "x"}, 50035), ({"recipient_id": bot}, 50007)):
            self.assertEqual((await self.post(simulator, "/users/@me/channels", value)).code, (400, code))
        reply = await self.post(simulator, "/users/@me/channels", {"recipient_id": "4711"})
        self.assertEqual(reply.code, (404, 10013))


class ChannelTests(RestCase):
    """``/channels/{id}``."""

    async def test_shown(self) -> None:
        """Channels and threads; one that the bot may not see is refused, one that isn't there is unknown."""
        simulator = await self.start()
        guild = simulator.guild(0)
        hidden = next(id for id, channel in guild.channels.items() if channel["name"] == "___hidden___")
        for id in (channel_of(guild, 0), channel_of(guild, 4), channel_of(guild, 11)):
            shown = (await self.ask(simulator, f"/channels/{id}")).json
            self.assertEqual((shown["id"], shown["guild_id"]), (str(id), str(guild.id)))
        self.assertEqual((await self.ask(simulator, f"/channels/{hidden}")).code, (403, 50001))
        self.assertEqual((await self.ask(simulator, "/channels/4711")).code, (404, 10003))

    async def test_changed(self) -> None:
        """A change shows, and the gateway tells of it; a thread's likewise."""
        simulator, client = await self.listening()
        guild = simulator.guild(0)
        channel, thread = channel_of(guild), channel_of(guild, 11)
        changes = {"name": "renamed", "topic": None, "rate_limit_per_user": 5, "id": "1", "guild_id": "2"}
        reply = await self.ask(simulator, f"/channels/{channel}", "PATCH", json=changes)
        event = (await client.first("CHANNEL_UPDATE"))["d"]
        self.assertEqual(event, reply.json)
        self.assertEqual([event[key] for key in ("id", "name", "rate_limit_per_user")], [str(channel), "renamed", 5])
        self.assertEqual(guild.channels[channel]["name"], "renamed")
        await self.ask(simulator, f"/channels/{thread}", "PATCH", json={"locked": True})
        event = (await client.first("THREAD_UPDATE"))["d"]
        self.assertEqual((event["id"], event["thread_metadata"]["locked"]), (str(thread), True))
        reply = await self.post(simulator, f"/channels/{thread}/messages", {"content": "x"})
        self.assertEqual(reply.code, (400, 50083))

    async def test_bad_changes(self) -> None:
        """A field that can't be so changes nothing."""
        simulator = await self.start()
        channel = channel_of(simulator.guild(0))
        before = (await self.ask(simulator, f"/channels/{channel}")).json
        simulator.rest.limit("PATCH", "/channels/{}", 0)
        for changes in (
            {"name": ""},
            {"name": "x" * 101},
            {"topic": "x" * 1025, "nsfw": True},
            {"nsfw": 3},
            {"position": "x"},
            {"rate_limit_per_user": 21_601},
            {"rate_limit_per_user": -1},
        ):
            simulator.rest.limiter.sub_limits.clear()
            reply = await self.ask(simulator, f"/channels/{channel}", "PATCH", json=changes)
            self.assertEqual((reply.code, next(iter(changes)) in reply.json["errors"]), ((400, 50035), True), changes)
        self.assertEqual((await self.ask(simulator, f"/channels/{channel}")).json, before)

    async def test_direct_channels_stay(self) -> None:
        """A direct channel can't be changed."""
        simulator = await self.start()
        direct = simulator.hub.deeds.open_direct(int(simulator.guild(0).fields["owner_id"]))["id"]
        reply = await self.ask(simulator, f"/channels/{direct}", "PATCH", json={"name": "x"})
        self.assertEqual(reply.code, (403, 50003))

    async def test_typing(self) -> None:
        """TYPING_START of the bot."""
        simulator, client = await self.listening()
        channel = channel_of(simulator.guild(0))
        self.assertEqual((await self.post(simulator, f"/channels/{channel}/typing")).status, 204)
        event = (await client.first("TYPING_START"))["d"]
        self.assertEqual((event["channel_id"], event["user_id"]), (str(channel), simulator.world.bot["id"]))

    async def test_pins(self) -> None:
        """A pinned message is listed until it is unpinned; both times the gateway tells."""
        simulator, client = await self.listening()
        channel = f"/channels/{channel_of(simulator.guild(0))}"
        id = (await self.post(simulator, f"{channel}/messages", {"content": "x"})).json["id"]
        simulator.rest.limit("GET", "/channels/{}/pins", 0)
        for method, listed in (("PUT", [id]), ("DELETE", [])):
            self.assertEqual((await self.ask(simulator, f"{channel}/pins/{id}", method)).status, 204)
            pins = (await self.ask(simulator, f"{channel}/pins")).json
            self.assertEqual([message["id"] for message in pins], listed)
        await client.count("CHANNEL_PINS_UPDATE", 2)
        self.assertEqual((await self.ask(simulator, f"{channel}/pins/4711", "PUT")).code, (404, 10008))
