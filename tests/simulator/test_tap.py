"""``twistd -n rateway-simulator``: its options, its service, its summary."""

from __future__ import annotations

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from rateway.model.intents import Intent
from rateway.simulator.options import SimulatorOptions
from rateway.simulator.tap import Options, SimulatorService, makeService
from tests.simulator.client import SimulatorTestCase, the_reactor

EVERY = (
    "--port 9 --shards 4 --max-concurrency 16 --guilds 40 --members 5 --rate 2.5 --seed 7 --token t "
    "--intents GUILD_MEMBERS --session-total 9 --session-remaining 3 --heartbeat-interval 1.5 "
    "--identify-window 0.5 --replay-limit 8 --replay-bytes 9 --replay-age 6 --host h --resume-host r"
)


@implementer(ILogObserver)
class Lines:
    """The log's lines."""

    def __init__(self, test: SynchronousTestCase) -> None:
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self)
        test.addCleanup(globalLogPublisher.removeObserver, self)

    def __call__(self, event: LogEvent) -> None:
        self.lines.append(formatEvent(event))

    def starting(self, start: str) -> list[str]:
        return [line for line in self.lines if line.startswith(start)]


def parse(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(list(arguments))
    return options


class OptionsTests(SynchronousTestCase):
    """The command line."""

    def test_defaults(self) -> None:
        """Without options: the library's defaults, port 8800 of this machine alone."""
        options = parse()
        self.assertEqual(options.listen_at(), "tcp:8800:interface=127.0.0.1")
        self.assertEqual(options.chosen, SimulatorOptions(journal_limit=options.chosen.journal_limit))
        self.assertTrue(options.chosen.journal_limit > 0)

    def test_all(self) -> None:
        """Each option reaches the simulator."""
        options = parse(*EVERY.split())
        chosen = options.chosen
        self.assertEqual(options.listen_at(), "tcp:9:interface=127.0.0.1")
        self.assertEqual((chosen.shards, chosen.max_concurrency, chosen.guilds, chosen.members), (4, 16, 40, 5))
        self.assertEqual((chosen.rate, chosen.seed, chosen.token), (2.5, 7, "t"))
        self.assertEqual(chosen.allowed_intents, int(Intent.GUILD_MEMBERS))
        self.assertEqual((chosen.session_total, chosen.session_remaining), (9, 3))
        self.assertEqual((chosen.heartbeat_interval, chosen.identify_window), (1.5, 0.5))
        self.assertEqual((chosen.replay_limit, chosen.replay_bytes, chosen.replay_age), (8, 9, 6.0))
        self.assertEqual((chosen.host, chosen.resume_host), ("h", "r"))

    def test_remaining_follows_total(self) -> None:
        """With a total alone, all of it is left."""
        self.assertEqual(parse("--session-total", "5").chosen.session_remaining, 5)

    def test_endpoint(self) -> None:
        """An endpoint of one's own takes the place of the port."""
        self.assertEqual(parse("--endpoint", r"tcp:1:interface=\:\:1").listen_at(), r"tcp:1:interface=\:\:1")

    def test_unusable(self) -> None:
        """What can't be used is refused in a sentence."""
        for arguments in (
            ("--shards", "x"),
            ("--shards", "0"),
            ("--guilds", "-1"),
            ("--rate", "nan"),
            ("--intents", "NOTHING"),
        ):
            self.assertRaises(UsageError, parse, *arguments)

    def test_help_teaches(self) -> None:
        """--help says how to point a bot at it, and gives examples on lines of their own."""
        text = Options().getUsage()
        for wanted in ("DISCORD_API_URL=", "\n  twistd -n rateway-simulator --shards 4", "--identify-window="):
            self.assertIn(wanted, text)


class ServiceTests(SimulatorTestCase):
    """The service."""

    async def test_life(self) -> None:
        """It listens, moves the world, logs each connection and breach, and ends with a summary."""
        log = Lines(self)
        service = makeService(parse("--port", "0", "--rate", "200", "--heartbeat-interval", "30"))
        verifyObject(IService, service)
        service.startService()
        simulator = service.simulator
        await simulator.until(lambda: simulator.hub.addresses.gateway)
        client = await self.ready(simulator)
        await client.first("MESSAGE_CREATE")
        client.say(b"nonsense")
        await client.end()
        await service.stopService()
        text = "\n".join(log.lines)
        for wanted in (
            "DISCORD_API_URL=http://127.0.0.1:",
            "connection 1 to 127.0.0.1 opened",
            "breach of undecodable",
        ):
            self.assertIn(wanted, text)
        (summary,) = log.starting("summary: ")
        self.assertIn("1 sessions live, 1 connections, 1 identifies, 0 resumes", summary)
        self.assertIn("1 breaches", summary)
        self.assertNotIn("simulator-token", text)


class RefusedTests(TestCase):
    """A port that is taken."""

    async def test_taken(self) -> None:
        """It is said in a line, with the remedy, and the exit code is 1."""
        first = SimulatorService(the_reactor(), SimulatorOptions(), "tcp:0:interface=127.0.0.1")
        await first.simulator.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(first.simulator.stop()))
        log = Lines(self)

        class Reactor:
            """The real one, which must not be stopped here."""

            stopped = False
            running = True

            def stop(self) -> None:
                self.stopped = True

            def __getattr__(self, name: str) -> object:
                return getattr(the_reactor(), name)

        reactor = Reactor()
        endpoint = f"tcp:{first.simulator.port}:interface=127.0.0.1"
        codes: list[int] = []
        second = SimulatorService(reactor, SimulatorOptions(), endpoint, exit_with=codes.append)
        second.startService()
        await second.stopService()
        self.assertTrue(reactor.stopped)
        self.assertEqual(codes, [1])
        (line,) = log.starting("the simulator stops")
        self.assertIn(f"127.0.0.1:{first.simulator.port}", line)
        self.assertIn("choose another --port", line)
