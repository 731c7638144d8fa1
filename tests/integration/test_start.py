"""Starts that can't succeed end with one clear sentence; those that may yet succeed wait (criteria 16, 17, 68, 69)."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from urllib.parse import urlsplit

from twisted.internet.threads import deferToThread

from rateway.settings import SETTINGS
from rateway.simulator.gateway.behaviour import Behaviour
from rateway.simulator.simulator import Simulator

from .harness import TOKEN, WorldTestCase
from .program import ROOT, TWISTD, Program
from .proxy import Proxy

RESUMABLE = 4904
PRIVILEGED = ("GUILD_MEMBERS", "GUILD_PRESENCES", "MESSAGE_CONTENT")

WRONG = {
    "DISCORD_TOKEN": "two words",
    "INTENTS": "GILDS",
    "AMQP_URI": "http://user:a-password-of-mine@localhost/",
    "SHARDS_PER_CLUSTER": "0",
    "EXTRA_SHARDS": "many",
    "TOTAL_SHARDS": "-1",
    "SHARDS_MULTIPLE": "1.5",
    "CACHE_ENABLED": "perhaps",
    "MESSAGE_CACHE_SIZE": "-5",
    "CACHE_ENTITIES": "Gilds",
    "PROCESSES": "0",
    "STATE_DIR": "/dev/null",
    "DISCORD_API_URL": "ftp://discord.com/api",
    "COMPRESSION": "gzip",
    "AMQP_PERSISTENT": "2",
    "AMQP_CA": "/nowhere/authority.pem",
    "SPOOL_LIMIT": "plenty",
    "EVENT_TTL": "INTERACTION_CREATE",
    "COMMAND_TTL": "soon",
    "LOG_FORMAT": "xml",
    "PRESENCE": "{",
}


class WrongConfigurationTests(WorldTestCase):
    """What is wrong with the settings is said by the program itself: a line each, and nothing else."""

    async def refused(self, program: Program) -> list[str]:
        """It ended by itself, as having failed; what it said."""
        self.assertEqual(await program.wait(), 1)
        return program.lines

    async def test_missing_token(self) -> None:
        """No token: one line that names the variable and where to get one; Discord isn't asked."""
        simulator = await self.simulator()
        (line,) = await self.refused(self.rateway(simulator, DISCORD_TOKEN=None))
        self.assertIn("DISCORD_TOKEN is missing", line)
        self.assertIn("developer portal", line)
        self.assertEqual(simulator.rest.requests(), [])

    async def test_missing_everything(self) -> None:
        """Each of the required settings is asked for at once."""
        lines = await self.refused(self.rateway(None, DISCORD_TOKEN=None, INTENTS="", AMQP_URI=None))
        self.assertEqual(
            [line.split()[:3] for line in lines],
            [[name, "is", "missing:"] for name in ("DISCORD_TOKEN", "INTENTS", "AMQP_URI")],
        )

    async def test_every_wrong_value_at_once(self) -> None:
        """A line for each setting there is, by its name; no secret is repeated."""
        self.assertEqual(WRONG.keys(), {setting.variable for setting in SETTINGS})
        lines = await self.refused(self.rateway(None, **WRONG))
        self.assertEqual([line.partition(":")[0] for line in lines], list(WRONG))
        self.assertNotIn("a-password-of-mine", "\n".join(lines))

    async def test_each_wrong_value_alone(self) -> None:
        """A single wrong value is as fatal."""
        for name in ("INTENTS", "AMQP_CA", "SPOOL_LIMIT", "EVENT_TTL", "COMMAND_TTL"):
            (line,) = await self.refused(self.rateway(None, **{name: WRONG[name]}))
            self.assertTrue(line.startswith(f"{name}: "), line)

    async def test_wrong_file(self) -> None:
        """In a file, what is wrong is named by key and file; a misspelt key by what it may have meant."""
        file = self.folder / "settings.toml"
        file.write_text('cache_enabeld = true\n[shards]\nper_cluster = "none"\n')
        argv = [TWISTD, "-n", "--pidfile=", "rateway", str(file)]
        lines = await self.refused(self.rateway(None, argv=argv))
        self.assertEqual(len(lines), 2, lines)
        self.assertIn("cache_enabeld", lines[0])
        self.assertIn("cache_enabled", lines[0])
        self.assertIn("shards.per_cluster", lines[1])
        self.assertTrue(all(str(file) in line for line in lines), lines)

    async def test_no_such_file(self) -> None:
        """A file that isn't there, or is no TOML, is one line."""
        broken = self.folder / "broken.toml"
        broken.write_text(f'token = "{TOKEN}\n')
        for file, word in ((self.folder / "absent.toml", "can't be read"), (broken, "no TOML")):
            argv = [TWISTD, "-n", "--pidfile=", "rateway", str(file)]
            (line,) = await self.refused(self.rateway(None, argv=argv))
            self.assertIn(word, line)
            self.assertIn(str(file), line)
        broken.unlink()


class RefusedTests(WorldTestCase):
    """Discord or the broker won't have us: a person must act, and is told how."""

    async def ended(self, program: Program, *words: str) -> str:
        """It ended by itself, as having failed, and told the reason once, in a sentence with these words."""
        try:
            self.assertEqual(await program.wait(), 1)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{program.text}") from None
        told = [line for line in program.lines if "rateway stops: " in line]
        self.assertEqual(len(told), 1, program.text)
        self.assertIn(" critical ", told[0])
        for word in words:
            self.assertIn(word, told[0])
        return told[0]

    async def closed(self, code: int, *words: str, breach: str = "", **options: object) -> Simulator:
        """Every IDENTIFY is answered by this close code: rateway ends, and tries nothing again."""
        self.expected_breaches = frozenset({breach})
        simulator = await self.simulator(**{"shards": 3, "max_concurrency": 3, **options})
        if not breach:
            simulator.behave(Behaviour(identify=code))
        await self.ended(self.rateway(simulator), str(code), *words)
        self.assertLessEqual(len(simulator.connections), 3)
        self.assertLessEqual(len(simulator.identifies), 3)
        self.assertIn(str(code), {identify.answer for identify in simulator.identifies})
        self.assertEqual(len(simulator.rest.requests()), 1)
        return simulator

    async def test_criterion_16_wrong_token_at_identify(self) -> None:
        """Close 4004 at the start: nothing is tried again with this token, not by the other child either."""
        simulator = await self.simulator(shards=4)
        simulator.behave(Behaviour(identify=4004))
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=2, PROCESSES=2)
        await self.ended(program, "4004", "token", "DISCORD_TOKEN", "developer portal")
        self.assertEqual([identify.shard for identify in simulator.identifies], [0])
        self.assertEqual(len(simulator.connections), 1)
        self.assertEqual(len(simulator.rest.requests()), 1)

    async def test_criterion_16_token_reset_while_running(self) -> None:
        """Close 4004 of one active shard stops all shards of all children, resumably, and for good."""
        simulator = await self.simulator(shards=4, max_concurrency=4)
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=2, PROCESSES=2)
        await self.all_active(simulator, 4)
        simulator.close(0, 4004)
        await self.ended(program, "4004", "DISCORD_TOKEN")
        self.assertEqual(len(simulator.connections), 4)
        self.assertEqual({close.shard: close.code for close in simulator.closes}, dict.fromkeys((1, 2, 3), RESUMABLE))
        self.assertEqual(len(simulator.rest.requests()), 1)

    async def test_criterion_17_close_4010(self) -> None:
        """Invalid shard: the setting that mends it is named."""
        await self.closed(4010, "invalid shard", "SHARDS_MULTIPLE", breach="invalid-shard", shards_multiple=2)

    async def test_criterion_17_close_4011(self) -> None:
        """Sharding required: the setting that mends it is named."""
        await self.closed(4011, "sharding required", "TOTAL_SHARDS")

    async def test_criterion_17_close_4012(self) -> None:
        """Invalid API version: only a newer rateway mends it."""
        await self.closed(4012, "version", "newer rateway")

    async def test_criterion_17_close_4013(self) -> None:
        """Invalid intents: the setting that mends it is named."""
        await self.closed(4013, "invalid intents", "INTENTS")

    async def test_criterion_17_close_4014(self) -> None:
        """Disallowed intents: the privileged ones that were asked for are named, and where to enable them."""
        words = ("disallowed intents", "developer portal", "INTENTS", *PRIVILEGED)
        await self.closed(4014, *words, breach="disallowed-intents", allowed_intents=1)

    async def test_criterion_17_close_4014_names_what_was_asked(self) -> None:
        """A privileged intent that wasn't asked for isn't named."""
        self.expected_breaches = frozenset({"disallowed-intents"})
        simulator = await self.simulator(allowed_intents=1)
        told = await self.ended(self.rateway(simulator, INTENTS="GUILDS,GUILD_MEMBERS"), "GUILD_MEMBERS")
        self.assertNotIn("GUILD_PRESENCES", told)
        self.assertNotIn("MESSAGE_CONTENT", told)

    async def test_criterion_68_wrong_token_at_rest(self) -> None:
        """REST answers 401: the token is dead, nothing more is asked, and nobody connects."""
        self.expected_breaches = frozenset({"rest-token"})
        simulator = await self.simulator(token="another-bot's-token")
        await self.ended(self.rateway(simulator), "401", "DISCORD_TOKEN", "developer portal")
        self.assertEqual([request.status for request in simulator.rest.requests()], [401])
        self.assertEqual(simulator.connections, [])

    async def test_broker_refuses_the_login(self) -> None:
        """A wrong password of the broker's: the user and AMQP_URI are named, the password isn't; no shard connects."""
        simulator, broker = await self.simulator(shards=2), await self.proxy()
        uri = broker.in_front_of(self.amqp, "amqp", "127.0.0.1")
        user, password = urlsplit(uri).username, urlsplit(uri).password
        wrong = uri.replace(f":{password}@", ":not-the-password@")
        program = self.rateway(simulator, AMQP_URI=wrong)
        told = await self.ended(program, "refused the login", f"'{user}'", "AMQP_URI", "password")
        self.assertNotIn("not-the-password", program.text)
        self.assertNotIn("@127.0.0.1/", told)
        self.assertEqual(broker.connections, 1)
        self.assertEqual(simulator.connections, [])

    async def test_broker_has_no_such_vhost(self) -> None:
        """A vhost that isn't there: it is named, with the remedy; no shard connects."""
        simulator, broker = await self.simulator(shards=2), await self.proxy()
        uri = broker.in_front_of(self.amqp, "amqp", "127.0.0.1").rpartition("/")[0] + "/nowhere%2Fat-all"
        await self.ended(self.rateway(simulator, AMQP_URI=uri), "vhost", "'nowhere/at-all'", "AMQP_URI")
        self.assertEqual(broker.connections, 1)
        self.assertEqual(simulator.connections, [])

    async def test_exchange_of_another_kind(self) -> None:
        """An exchange of the cluster's name that bots can't use: it is named, with the remedy; no shard connects."""
        simulator = await self.simulator()
        topic = {"type": "topic", "durable": True, "auto_delete": False, "internal": False, "arguments": {}}
        await deferToThread(self.vhost.api.call, "PUT", "exchanges", self.vhost.name, "rateway-1", body=topic)
        await self.ended(self.rateway(simulator), "rateway-1", "durable direct", "Delete it")
        self.assertEqual(simulator.connections, [])

    async def proxy(self) -> Proxy:
        """In front of the broker, to count who comes."""
        proxy = Proxy(self.reactor, urlsplit(self.amqp).port or 5672)
        await proxy.listen()
        self.addCleanup(proxy.close)
        return proxy


class PatienceTests(WorldTestCase):
    """The network may come up later than rateway does: that is told, and waited for."""

    async def test_discord_comes_late(self) -> None:
        """Discord can't be reached: that is said at once, and once; rateway comes up when Discord does."""
        port = self.unused_port()
        simulator = await self.simulator(endpoint=f"tcp:{port}:interface=127.0.0.1")
        await simulator.stop()
        program = self.rateway(simulator)
        await program.until_said("waiting for Discord")
        started = self.reactor.seconds()
        await self.until(lambda: self.reactor.seconds() - started > 3.0, "some tries")
        late = await self.simulator(endpoint=f"tcp:{port}:interface=127.0.0.1")
        await self.all_active(late, 1)
        self.assertEqual(sum("waiting for Discord" in line for line in program.lines), 1, program.text)
        self.assertTrue(program.said("Discord answers"))
        self.assertEqual(len(late.identifies), 1)

    async def test_broker_comes_late(self) -> None:
        """The broker can't be reached: said at once, and once; no shard connects until its events can be taken."""
        simulator = await self.simulator()
        proxy = Proxy(self.reactor, urlsplit(self.amqp).port or 5672)
        proxy.port = self.unused_port()
        program = self.rateway(simulator, AMQP_URI=proxy.in_front_of(self.amqp, "amqp", "127.0.0.1"))
        await program.until_said("no connection to the broker")
        started = self.reactor.seconds()
        await self.until(lambda: self.reactor.seconds() - started > 3.0, "some tries")
        self.assertEqual(sum("broker" in line for line in program.lines), 1, program.text)
        self.assertEqual(simulator.connections, [])
        await proxy.listen()
        self.addCleanup(proxy.close)
        await self.all_active(simulator, 1)

    async def test_criterion_69_discord_has_trouble(self) -> None:
        """503 twice, then 200: asked again with pauses that grow, and the start goes on."""
        simulator = await self.simulator()
        simulator.rest.script("/gateway/bot", [(503, {}, b""), (503, {}, b"upstream connect error")])
        program = self.rateway(simulator)
        await self.all_active(simulator, 1)
        requests = simulator.rest.requests("/gateway/bot")
        self.assertEqual([request.status for request in requests], [503, 503, 200])
        first, second = (later.at - earlier.at for earlier, later in itertools.pairwise(requests))
        self.assertGreaterEqual(first, 0.5)
        self.assertGreaterEqual(second, 1.0)
        self.assertTrue(program.said("503"))

    async def test_stopped_while_waiting(self) -> None:
        """Who waits for Discord, or for the broker, can be stopped, and ends in good order."""
        port = self.unused_port()
        nobody = f"127.0.0.1:{port}"
        for settings in ({"DISCORD_API_URL": f"http://{nobody}/api/v10"}, {"AMQP_URI": f"amqp://a:b@{nobody}"}):
            program = self.rateway(await self.simulator(), **settings)
            await program.until_said("onnect")
            # It can't stop any later than that: the kernel would end it, with another exit code.
            self.assertEqual(await program.stop(), 0)


class WaysToStartTests(WorldTestCase):
    """By twistd's plugin, by rateway.tac, by the command; from the environment, or from a file."""

    def file(self, simulator: Simulator) -> Path:
        """All that is required, and more, in a file."""
        file = Path(self.mktemp()).absolute()
        lines = [
            f"token = '{TOKEN}'",
            'intents = ["GUILDS", "GUILD_MESSAGES"]',
            f"amqp = '{self.amqp}'",
            f"api_url = '{simulator.api_url}'",
            f"state_dir = '{self.folder / 'state'}'",
            "processes = 1",
            "[shards]",
            "extra = 2",
            "[presence]",
            'status = "idle"',
            'activities = [{name = "shard {{shard}}", type = 0}]',
        ]
        file.write_text("\n".join(lines) + "\n")
        return file

    def from_file(self, *argv: str, **environ: str) -> Program:
        """rateway with an environment of its own."""
        program = Program(self.reactor, self.folder, environ, list(argv))
        self.programs.append(program)
        return program

    async def test_plugin_with_a_file(self) -> None:
        """`twistd -n rateway FILE`: everything comes from the file; where the environment says otherwise, it wins."""
        simulator = await self.simulator(max_concurrency=4)
        self.from_file(
            TWISTD,
            "-n",
            "--pidfile=",
            "rateway",
            str(self.file(simulator)),
            EXTRA_SHARDS="1",
            INTENTS="1",
            DISCORD_TOKEN="",
        )
        await self.all_active(simulator, 2)
        for identify in simulator.identifies:
            self.assertEqual((identify.total, identify.intents), (2, 1))
            presence = identify.d["presence"]
            assert isinstance(presence, dict)
            self.assertEqual(presence["status"], "idle")
            self.assertEqual(presence["activities"][0]["name"], f"shard {identify.shard}")

    async def test_command_with_a_file(self) -> None:
        """The command `rateway FILE` is the same, and leaves no pid file."""
        simulator = await self.simulator(max_concurrency=4)
        script = Path(sys.executable).with_name("rateway")
        command = [str(script)] if script.exists() else [sys.executable, "-m", "rateway.main"]
        program = self.from_file(*command, str(self.file(simulator)))
        await self.all_active(simulator, 3)
        self.assertEqual(await program.stop(), 0)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["state"])

    async def test_tac(self) -> None:
        """`twistd -ny rateway.tac` takes everything from the environment."""
        simulator = await self.simulator()
        program = self.rateway(simulator, argv=[TWISTD, "-n", "--pidfile=", "-y", str(ROOT / "rateway.tac")])
        await self.all_active(simulator, 1)
        self.assertEqual(await program.stop(), 0)

    async def test_tac_refuses_as_clearly(self) -> None:
        """A wrong setting is one line there too, and so is a refused token."""
        argv = [TWISTD, "-n", "--pidfile=", "-y", str(ROOT / "rateway.tac")]
        wrong = self.rateway(None, argv=argv, DISCORD_TOKEN=None)
        self.assertEqual(await wrong.wait(), 1)
        self.assertEqual(len(wrong.lines), 1, wrong.text)
        self.expected_breaches = frozenset({"rest-token"})
        refused = self.rateway(await self.simulator(token="another-bot's-token"), argv=argv)
        self.assertEqual(await refused.wait(), 1)
        self.assertEqual(sum("rateway stops: " in line for line in refused.lines), 1, refused.text)
