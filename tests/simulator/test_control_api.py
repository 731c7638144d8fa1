"""The control API over real HTTP."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import treq
from twisted.internet.defer import Deferred
from twisted.web.client import ResponseNeverReceived

from rateway.simulator.control import views
from rateway.simulator.control.actions import ACTIONS
from rateway.simulator.records import KINDS
from rateway.simulator.simulator import Simulator
from tests.simulator.client import TOKEN
from tests.simulator.rest import GOOD, Reply, RestCase

EXAMPLES: dict[str, dict[str, Any]] = {
    "acknowledge": {"how": "bare"},
    "admit_connections": {},
    "behave": {"ack": "full"},
    "behave_well": {},
    "close": {"shard": 2, "code": 4000, "reason": "over"},
    "corrupt": {"shard": 1},
    "dispatch": {"shard": 0, "name": "X", "d": {"n": 1}, "times": 2},
    "drop": {"shard": 1, "how": "blackhole"},
    "emit": {"name": "TYPING_START", "guild": 0},
    "end_blackholes": {},
    "forget_session": {"shard": 0},
    "freeze": {"shard": 0},
    "happen": {"count": 2},
    "heartbeat_interval": {"seconds": 3},
    "huge_guild": {"guild": 0, "size": 2000},
    "invalidate": {"shard": 0, "resumable": True},
    "join_guild": {"members": 1},
    "leave_guild": {"guild": 1},
    "load": {"rate": 10, "sessions": 99},
    "nonsense": {"shard": 0, "kind": "op"},
    "on_connect": {"hello": False, "times": 2},
    "outage": {"guild": "all"},
    "recover": {"guild": [0]},
    "refuse_connections": {"how": 429, "retry_after": 1},
    "release": {"shard": 0, "how": "dropped"},
    "repeat": {"shard": 0},
    "request_heartbeat": {"shard": 0},
    "request_reconnect": {"shard": [0]},
    "reset_token": {},
    "rest": {"path": "/users/@me", "preset": "never", "times": 2},
    "rest_as_usual": {},
    "resume_host": {"state": "refuses"},
    "send_op": {"shard": 0, "op": 99, "d": None},
    "send_raw": {"shard": 0, "base64": "AA=="},
    "send_text": {"shard": 0, "text": "{}"},
    "set_behaviour": {"shard": 0, "ack": "none"},
    "shape": {"shard": 0, "fragments": 2},
    "skip_sequences": {"shard": 0, "count": 2},
    "slow": {"shard": 0, "bytes_per_second": 0},
    "stop_load": {},
    "stop_traffic": {},
    "swap": {"shard": 0},
    "thaw": {"shard": 0},
    "traffic": {"rate": 1},
    "withhold": {"shard": 0, "events": ["X"]},
}
LAST = ["end_blackholes", "forget_session", "reset_token"]
"""What leaves too little for the others is done at the end."""


class ControlCase(RestCase):
    """Tests that ask below ``/control``."""

    async def control(
        self, simulator: Simulator, path: str = "", value: object = ..., method: str = "", **more: Any
    ) -> Reply:
        """GET, or POST of a value as JSON."""
        url = f"http://127.0.0.1:{simulator.port}/control{path}"
        if value is not ...:
            more["data"] = json.dumps(value).encode()
        response = await self.client.request(method or ("GET" if value is ... else "POST"), url, **more)
        return Reply(response.code, response.headers, await treq.content(response))


class ActionTests(ControlCase):
    """POST /control/actions."""

    async def test_every_action(self) -> None:
        """Each action is done by HTTP as in the simulator's own process, and answered with its name."""
        self.assertEqual(sorted(EXAMPLES), sorted(ACTIONS))
        simulator = await self.start(guilds=3, members=2)
        for shard in range(3):
            await self.ready(simulator, shard, 3)
        await simulator.until(lambda: all(session.seq == 2 for session in simulator.sessions))
        for name in [*(name for name in EXAMPLES if name not in LAST), *LAST]:
            reply = await self.control(simulator, "/actions", {"do": name, **EXAMPLES[name]})
            self.assertEqual((reply.status, reply.json["do"]), (200, name), reply.body)
        self.assertEqual(len(simulator.world.guilds), 3)
        self.assertTrue(simulator.hub.token_dead)

    async def test_results(self) -> None:
        """Some actions tell what came of them; the client sees it."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        reply = await self.control(simulator, "/actions", {"do": "dispatch", "name": "X", "d": {"n": [1]}, "times": 3})
        self.assertEqual(reply.json, {"do": "dispatch", "result": {"sequences": [4]}})
        await client.count("X", 3)
        self.assertEqual(client.all("X")[0]["d"], {"n": [1]})
        joined = (await self.control(simulator, "/actions", {"do": "join_guild"})).json["result"]["guild"]
        self.assertEqual((await client.first("GUILD_CREATE"))["d"]["id"], joined)

    async def test_list(self) -> None:
        """A list is done in order; what fails ends it, and the answer says how far it came."""
        simulator = await self.start(guilds=0)
        client = await self.ready(simulator)
        deeds = [{"do": "dispatch", "name": "A"}, {"do": "dispatch", "name": "B"}]
        reply = await self.control(simulator, "/actions", deeds)
        self.assertEqual([answer["result"]["sequences"] for answer in reply.json], [[2], [3]])
        missing = [{"do": "dispatch", "name": "C"}, {"do": "drop", "shard": 5}, {"do": "dispatch", "name": "D"}]
        reply = await self.control(simulator, "/actions", missing)
        self.assertEqual(reply.status, 409)
        self.assertEqual((reply.json["error"], reply.json["index"]), ("drop: shard 5 has no connection", 1))
        self.assertEqual(reply.json["done"], [{"do": "dispatch", "result": {"sequences": [4]}}])
        reply = await self.control(simulator, "/actions", [{"do": "repeat", "count": 99}])
        self.assertEqual((reply.status, reply.json["done"]), (400, []))
        self.assertIn("had 4 events", reply.json["error"])
        await client.first("C")
        self.assertEqual(client.all("D"), [])
        self.assertEqual((await self.control(simulator, "/actions", [])).json, [])

    async def test_bad_one(self) -> None:
        """Where one of a list can't be read, nothing is done."""
        simulator = await self.start(guilds=0)
        await self.ready(simulator)
        reply = await self.control(simulator, "/actions", [{"do": "dispatch", "name": "A"}, {"do": "drop", "how": "?"}])
        self.assertEqual((reply.status, reply.json["index"], reply.json["done"]), (400, 1, []))
        self.assertIn("action 'drop', field 'how'", reply.json["error"])
        self.assertEqual(simulator.session(0).seq, 1)

    async def test_rest_answers(self) -> None:
        """Scripted answers of REST, ready-made and of one's own, so many times."""
        simulator = await self.start()
        for answer in (
            {"preset": "shared-429", "parameters": {"retry_after": 2}, "times": 2},
            {"status": 503, "text": "<html>", "headers": {"X-Own": "1"}},
            {"status": 500, "json": {"code": 0}, "method": "GET", "delay": 0.01},
        ):
            deed = {"do": "rest", "path": "/gateway/bot", **answer}
            self.assertEqual((await self.control(simulator, "/actions", deed)).status, 200)
        replies = [await self.ask(simulator, "/gateway/bot") for _ in range(5)]
        self.assertEqual([reply.status for reply in replies], [429, 429, 503, 500, 200])
        self.assertEqual(replies[1].json["retry_after"], 2)
        self.assertEqual((replies[2].body, replies[2].header("X-Own")), (b"<html>", "1"))
        self.assertEqual(replies[3].json, {"code": 0})
        deed = {"do": "rest", "path": "/gateway/bot", "preset": "unauthorized", "times": 9}
        await self.control(simulator, "/actions", deed)
        self.assertEqual((await self.ask(simulator, "/gateway/bot")).status, 401)
        await self.control(simulator, "/actions", {"do": "rest_as_usual"})
        self.assertEqual((await self.ask(simulator, "/gateway/bot")).status, 200)


class ViewTests(ControlCase):
    """What is told."""

    async def test_manual(self) -> None:
        """GET /control: text for people, JSON for programs."""
        simulator = await self.start()
        text = await self.control(simulator)
        self.assertTrue((text.header("content-type") or "").startswith("text/plain"))
        self.assertIn(b"POST /control/actions", text.body)
        described = await self.control(simulator, headers={"Accept": "application/json"})
        self.assertEqual([action["do"] for action in described.json["actions"]], list(ACTIONS))

    async def test_state(self) -> None:
        """Addresses, shards, sessions with and without a connection, guilds."""
        simulator = await self.start(guilds=2, shards=2)
        clients = [await self.ready(simulator, shard, 2) for shard in range(2)]
        simulator.drop(1)
        await clients[1].end()
        await simulator.until(lambda: len(simulator.hub.connections) == 1)
        simulator.outage(simulator.guild(1).id)
        state = (await self.control(simulator, "/state")).json
        self.assertEqual(state["addresses"]["api"], simulator.api_url)
        self.assertEqual((state["recommended_shards"], state["connected_shards"]), (2, [0]))
        self.assertEqual([(s["shard"], s["connection"]) for s in state["sessions"]], [(0, 1), (1, None)])
        self.assertEqual([(c["number"], c["shard"], c["swallowed"]) for c in state["connections"]], [(1, 0, False)])
        guilds = [(str(simulator.guild(0).id), False), (str(simulator.guild(1).id), True)]
        self.assertEqual([(g["id"], g["unavailable"]) for g in state["guilds"]], guilds)
        self.assertEqual((state["session_starts_left"], state["token_dead"]), (998, False))

    async def test_records(self) -> None:
        """Records of each kind, after a number, of a shard, a page at a time; never the token."""
        simulator = await self.start(guilds=1, record_events=True)
        for shard in range(3):
            client = await self.ready(simulator, shard, 3)
        client.tell(3, {"status": "online", "activities": [], "afk": False, "since": None})
        client.tell(1, None)
        await client.first(11)
        client.tell(99, {"token": TOKEN, "x": TOKEN})
        await client.end()
        await self.ask(simulator, "/users/@me", headers={**GOOD, "X-Other": TOKEN}, method="GET")
        everything = b""
        for kind in KINDS:
            reply = await self.control(simulator, f"/records/{kind}")
            self.assertEqual(reply.status, 200)
            everything += reply.body
        everything += (await self.control(simulator, "/state")).body + (await self.control(simulator, "/breaches")).body
        self.assertNotIn(TOKEN.encode(), everything)
        page = (await self.control(simulator, "/records/identifies?after=1&limit=1")).json
        self.assertEqual((page["total"], page["known_from"], page["next"]), (3, 1, 2))
        self.assertEqual([(r["number"], r["shard"], r["answer"]) for r in page["records"]], [(2, 1, "ready")])
        rest = (await self.control(simulator, f"/records/identifies?after={page['next']}")).json
        self.assertEqual(([r["shard"] for r in rest["records"]], rest["next"]), ([2], 3))
        none = (await self.control(simulator, "/records/identifies?after=77")).json
        self.assertEqual((none["records"], none["next"]), ([], 77))
        of_shard = (await self.control(simulator, "/records/connections?shard=1")).json
        self.assertEqual([r["number"] for r in of_shard["records"]], [2])
        self.assertEqual(of_shard["next"], 3)
        self.assertEqual((await self.control(simulator, "/records/commands")).json["records"][0]["op"], 3)
        events = (await self.control(simulator, "/records/events?limit=1")).json
        self.assertEqual((events["records"][0]["name"], events["records"][0]["d"]["v"]), ("READY", 10))
        request = (await self.control(simulator, "/records/requests")).json["records"][0]
        self.assertEqual(request["headers"]["authorization"], "(not shown)")
        self.assertEqual([b["rule"] for b in (await self.control(simulator, "/breaches")).json], ["unknown-op"])

    async def test_records_forgotten_by_age(self) -> None:
        """Numbers stay what they were when the oldest records are dropped."""
        simulator = await self.start(guilds=0, journal_limit=10)
        client = await self.ready(simulator)
        for _ in range(14):
            client.tell(1, None)
        await client.until(lambda: len(client.all(11)) == 14)
        page = (await self.control(simulator, "/records/frames")).json
        self.assertEqual((page["total"], page["next"]), (15, 15))
        self.assertGreater(page["known_from"], 1)
        self.assertEqual([r["number"] for r in page["records"]], list(range(page["known_from"], 16)))

    async def test_verbatim_events(self) -> None:
        """An event's d that is no JSON is told as text."""
        simulator = await self.start(guilds=0, record_events=True)
        await self.ready(simulator)
        simulator.dispatch(0, "X", b'{"half":')
        simulator.dispatch(0, "X", b'{"n": 1e2}')
        events = (await self.control(simulator, "/records/events?after=1")).json["records"]
        self.assertEqual([event["d"] for event in events], ['{"half":', {"n": 100.0}])

    async def test_summary_and_new_count(self) -> None:
        """The numbers; forgotten, they begin anew, and connections keep numbers of their own."""
        simulator = await self.start(guilds=0)
        await self.ready(simulator)
        text = (await self.control(simulator, "/summary")).body
        self.assertIn(b"1 identifies", text)
        self.assertIn(b"no rule broken", text)
        told = (await self.control(simulator, "/summary", headers={"Accept": "application/json"})).json
        self.assertEqual((told["totals"]["identifies"], told["sent"]), (1, 1))
        self.assertEqual((await self.control(simulator, "/records", method="DELETE")).status, 200)
        self.assertEqual((simulator.identifies, simulator.connections, simulator.sent), ([], [], 0))
        self.assertEqual(simulator.connected_shards(), {0})
        await self.ready(simulator, 1, 2)
        self.assertEqual(sorted(simulator.hub.connections), [1, 2])
        page = (await self.control(simulator, "/records/identifies")).json
        self.assertEqual([(r["number"], r["shard"], r["connection"]) for r in page["records"]], [(1, 1, 2)])


class WaitTests(ControlCase):
    """POST /control/wait."""

    def waiting(self, simulator: Simulator, **wait: Any) -> Deferred[Reply]:
        return Deferred.fromCoroutine(self.control(simulator, "/wait", wait))

    async def test_met(self) -> None:
        """It is answered as soon as what was waited for is there, with the records."""
        simulator = await self.start(guilds=0)
        both = self.waiting(simulator, **{"for": "identifies", "count": 2})
        second = self.waiting(simulator, **{"for": "identifies", "shard": 1, "where": {"answer": "ready"}})
        ready = self.waiting(simulator, **{"for": "ready", "shard": [0, 1]})
        sent = self.waiting(simulator, **{"for": "sent", "count": 3})
        await self.ready(simulator, 0, 2)
        self.assertEqual([d.called for d in (both, second, ready, sent)], [False] * 4)
        client = await self.ready(simulator, 1, 2)
        self.assertEqual([r["number"] for r in (await both).json["found"]], [1, 2])
        self.assertEqual([r["shard"] for r in (await second).json["found"]], [1])
        self.assertEqual((await ready).json, {"found": [0, 1]})
        away = self.waiting(simulator, **{"for": "away"})
        simulator.dispatch(1, "X", {})
        self.assertEqual((await sent).json, {"found": [3]})
        client.transport.abortConnection()
        self.assertEqual((await away).json, {"found": [1]})
        late = await self.waiting(simulator, **{"for": "connections", "after": 1})
        self.assertEqual([r["number"] for r in late.json["found"]], [2])

    async def test_in_vain(self) -> None:
        """408, with what is there."""
        simulator = await self.start(guilds=0)
        await self.ready(simulator)
        reply = await self.waiting(simulator, **{"for": "identifies", "count": 2, "timeout": 0.05})
        self.assertEqual((reply.status, reply.json["error"]), (408, "not within 0.05 s: 2 identifies"))
        self.assertEqual(len(reply.json["found"]), 1)
        reply = await self.waiting(simulator, **{"for": "ready", "shard": [0, 1], "timeout": 0})
        self.assertEqual((reply.status, reply.json["found"]), (408, [0]))

    async def test_given_up(self) -> None:
        """Who goes is waited for no more; the simulator stops though somebody waits."""
        simulator = await self.start()
        waiting = self.waiting(simulator, **{"for": "resumes", "timeout": 3000})
        journal = simulator.hub.journal
        await simulator.until(lambda: journal.waiting == 2)
        waiting.cancel()
        await self.assertFailure(waiting, ResponseNeverReceived)
        await simulator.until(lambda: journal.waiting == 1)
        staying = self.waiting(simulator, **{"for": "resumes", "timeout": 3000})
        await simulator.until(lambda: journal.waiting == 2)
        await simulator.stop()
        await self.assertFailure(staying, ResponseNeverReceived)

    async def test_wrong(self) -> None:
        """What can't be waited for is said in a sentence."""
        simulator = await self.start()
        for wait, words in (
            ({}, "missing required field `for`"),
            ({"for": "godot"}, "there is no waiting for 'godot'; there is connections"),
            ({"for": "ready", "where": {"x": 1}}, "where and after go with records"),
            ({"for": "sent", "shard": 1}, "over all shards"),
            ({"for": "resumes", "timeout": 1e9}, "Expected `float` <= 3600.0"),
            ({"for": "resumes", "what": 1}, "unknown field `what`"),
        ):
            reply = await self.control(simulator, "/wait", wait)
            self.assertEqual(reply.status, 400)
            self.assertIn(words, reply.json["error"])


class RefusalTests(ControlCase):
    """Who and what is not answered."""

    async def test_browsers(self) -> None:
        """A page that a browser has open neither does nor learns anything, by whatever route."""
        simulator = await self.start()
        for path, value in (("", ...), ("/state", ...), ("/actions", {"do": "reset_token"}), ("/scenario", "x")):
            for headers in (
                {"Origin": "http://127.0.0.1"},
                {"Origin": "null"},
                {"Sec-Fetch-Site": "cross-site"},
                {"Host": "evil.test"},
            ):
                reply = await self.control(simulator, path, value, headers=headers)
                self.assertEqual((reply.status, list(reply.json)), (403, ["error"]))
        self.assertFalse(simulator.hub.token_dead)

    async def test_wrong_requests(self) -> None:
        """Paths, methods, numbers and kinds that are none."""
        simulator = await self.start()
        for path, method, status in (
            ("/nothing", "GET", 404),
            ("/records/nothing", "GET", 404),
            ("/records", "GET", 405),
            ("/state", "POST", 405),
            ("/actions", "GET", 405),
            ("/scenario", "DELETE", 405),
            ("/records/frames?after=-1", "GET", 400),
            ("/records/frames?shard=x", "GET", 400),
            ("/records/frames?limit=%00", "GET", 400),
            ("/actions", "POST", 400),
            ("/state/", "GET", 200),
            ("/state", "HEAD", 200),
        ):
            reply = await self.control(simulator, path, method=method)
            self.assertEqual(reply.status, status, (path, method))
            if status != 200:
                self.assertTrue(reply.json["error"])

    async def test_malformed(self) -> None:
        """Bodies of any bytes are answered by 400 and a sentence, and the simulator goes on."""
        simulator = await self.start()
        random = Random(5)
        seeds = [b'{"do":"drop","shard":0}', b'[{"do":"close","code":4000}]', b'{"for":"identifies","timeout":0}', b""]
        bodies = [
            b'{"do":"drop"',
            b"\xff\xfe",
            b"[" * 5000,
            b'{"do":"drop"}' * 2,
            b'{"do":"dispatch","name":"X","d":' + b"[" * 900 + b"]" * 900 + b"}",
            b'{"do":"drop","shard":1e400}',
            b'{"do":"drop","shard":99999999999999999999}',
            b'{"do":"\\ud800"}',
            b"null",
        ]
        for _ in range(60):
            mutant = bytearray(random.choice(seeds))
            for _ in range(random.randint(1, 4)):
                at = random.randint(0, len(mutant))
                mutant[at : at + random.randint(0, 3)] = random.randbytes(random.randint(0, 4))
            bodies.append(bytes(mutant))
        for body in bodies:
            for path in ("/actions", "/wait"):
                reply = await self.control(simulator, path, method="POST", data=body)
                # A body may by chance be right: then nobody is there, and nothing comes.
                self.assertIn(reply.status, (400, 408, 409), (path, body))
                self.assertTrue(reply.json["error"])
        self.assertEqual(simulator.breaches, [])
        self.assertEqual((await self.control(simulator, "/state")).status, 200)

    async def test_too_large(self) -> None:
        """A body of more than 64 MiB is not read."""
        simulator = await self.start()
        reply = await self.control(simulator, "/actions", method="POST", data=b" " * ((64 << 20) + 1))
        self.assertEqual(reply.status, 413)

    async def test_own_bugs(self) -> None:
        """A bug of the simulator's own is answered by 500 and logged; a KeyError is none of the client's doing."""
        simulator = await self.start()

        def broken(self: object) -> None:
            raise KeyError("bug")

        self.patch(type(simulator), "reset_token", broken)
        reply = await self.control(simulator, "/actions", {"do": "reset_token"})
        self.assertEqual(reply.status, 500)
        self.assertIn("KeyError", reply.json["error"])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.patch(views, "state", lambda _: object())
        self.assertEqual((await self.control(simulator, "/state")).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    async def test_scenarios(self) -> None:
        """The packaged scenarios are listed below /control, too."""
        simulator = await self.start()
        self.assertTrue((await self.control(simulator, "/scenario")).json["scenarios"])
        self.assertEqual((await self.control(simulator, "/scenario", "no scenario")).status, 400)
