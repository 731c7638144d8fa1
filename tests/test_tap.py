"""Tests of the command line, and of what twistd gets from it."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import Application, IService, IServiceCollection
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.python.usage import UsageError
from twisted.scripts import twistd
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rateway import __version__, main
from rateway.logs import Redactor
from rateway.tap import Options, makeService

GOOD = {"DISCORD_TOKEN": "MTIz.token.of-this-test", "INTENTS": "GUILDS", "AMQP_URI": "amqp://u:pass-word@h"}


class TapTestCase(SynchronousTestCase):
    """With stdout and stderr kept, and observers taken away again."""

    def setUp(self) -> None:
        self.stdout, self.stderr = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.stdout)
        self.patch(sys, "stderr", self.stderr)
        observers: list[Any] = []
        original = globalLogPublisher.addObserver

        def add(observer: Any) -> None:
            observers.append(observer)
            original(observer)

        self.observers = observers
        self.patch(globalLogPublisher, "addObserver", add)

        def remove() -> None:
            for observer in observers:
                globalLogPublisher.removeObserver(observer)

        self.addCleanup(remove)

    def options(self, *arguments: str, parent: Any = None, **environ: str) -> Options:
        options = Options()
        options.environ = environ
        options.parent = parent
        options.parseOptions(list(arguments))
        return options


class OptionsTests(TapTestCase):
    """The command line."""

    def test_the_environment(self) -> None:
        """Is enough."""
        self.assertEqual(self.options(**GOOD).config.token, GOOD["DISCORD_TOKEN"])

    def test_a_file(self) -> None:
        """Gives what the environment doesn't."""
        file = Path(self.mktemp())
        file.write_text('token = "from.the.file"\nintents = 1\namqp = "amqp://h"\n[shards]\nextra = 3\n')
        config = self.options(str(file), DISCORD_TOKEN="from.the.environment").config
        self.assertEqual((config.token, config.extra_shards), ("from.the.environment", 3))

    def test_wrong_settings(self) -> None:
        """A line for each on stderr, nothing on stdout, an exit code that isn't zero, and no exception twistd knows."""
        error = self.assertRaises(SystemExit, self.options, **(GOOD | {"INTENTS": "X", "PROCESSES": "0"}))
        self.assertEqual((error.code, self.stdout.getvalue()), (1, ""))
        self.assertEqual([line.split(":")[0] for line in self.stderr.getvalue().splitlines()], ["INTENTS", "PROCESSES"])

    def test_a_missing_file(self) -> None:
        """Is said in one line."""
        self.assertRaises(SystemExit, self.options, "/no/such/file.toml", **GOOD)
        self.assertEqual(self.stderr.getvalue().count("\n"), 1)
        self.assertIn("/no/such/file.toml", self.stderr.getvalue())

    def test_too_many_arguments(self) -> None:
        """Is a mistake of usage."""
        self.assertRaises(UsageError, self.options, "a", "b", **GOOD)

    def test_version(self) -> None:
        """rateway's own, not Twisted's; without any setting."""
        self.assertEqual(self.assertRaises(SystemExit, self.options, "--version").code, 0)
        self.assertEqual(self.stdout.getvalue(), f"rateway {__version__}\n")

    def test_help(self) -> None:
        """Names what is required, without any setting."""
        self.assertEqual(self.assertRaises(SystemExit, self.options, "--help").code, 0)
        for name in ("Usage: rateway [FILE]", "DISCORD_TOKEN", "INTENTS", "AMQP_URI"):
            self.assertIn(name, self.stdout.getvalue())


class MakeServiceTests(TapTestCase):
    """What twistd runs."""

    def observer(self, *twistd: str, tac: bool = False, **environ: str) -> Any:
        """The observer that an application gets with these options of twistd's."""
        parent = ServerOptions()
        if tac:
            self.patch(sys, "argv", ["twistd", *twistd])
        else:
            usage = [name for name in twistd if name != "-y"]
            parent.subCommand = "rateway"
            for name, value in (pair.split("=") for pair in usage if "=" in pair):
                parent[name.strip("-")] = value
            parent["nodaemon"] = "-n" in usage
            parent["syslog"] = "--syslog" in usage
        service = makeService(self.options(parent=None if tac else parent, **(GOOD | environ)))
        application = Application("rateway")
        service.setServiceParent(application)
        self.assertEqual(list(IServiceCollection(application)), [service])
        return application.getComponent(ILogObserver, None)

    def say(self, observer: Any) -> None:
        observer({"log_level": LogLevel.info, "log_namespace": "rateway.x", "log_format": "hello", "log_time": 0.0})

    def test_a_service(self) -> None:
        """Not yet started, asking nobody anything."""
        self.assertTrue(verifyObject(IService, makeService(self.options(**GOOD))))

    def test_the_second_net_is_there_first(self) -> None:
        """Before twistd's own observers come."""
        makeService(self.options(**GOOD))
        self.assertIsInstance(self.observers[0], Redactor)
        event = {"log_format": f"x {GOOD['DISCORD_TOKEN']} pass-word"}
        self.observers[0](event)
        self.assertNotIn("token.of", str(event))
        self.assertNotIn("pass-word", str(event))

    def test_in_the_foreground(self) -> None:
        """The log goes to stdout, as LOG_FORMAT says."""
        self.say(self.observer("-n"))
        self.assertEqual(self.stdout.getvalue(), "1970-01-01T00:00:00.000Z info     [x] hello\n")
        self.say(self.observer("-n", LOG_FORMAT="json"))
        self.assertIn('"message":"hello"', self.stdout.getvalue())

    def test_to_a_file(self) -> None:
        """Where --logfile says; a daemon's is twistd.log."""
        file = Path(self.mktemp())
        self.say(self.observer("-n", f"--logfile={file}"))
        self.assertIn("hello", file.read_text())
        self.assertEqual(self.stdout.getvalue(), "")

    def test_a_daemon_has_no_stdout(self) -> None:
        """As twistd itself refuses it."""
        self.assertRaises(SystemExit, self.observer, "--logfile=-")

    def test_syslog_stays_twistds(self) -> None:
        """Its observer is left alone."""
        self.assertIsNone(self.observer("-n", "--syslog"))

    def test_a_tac(self) -> None:
        """Doesn't see twistd's options, and yet they count."""
        file = Path(self.mktemp())
        self.say(self.observer("-n", f"--logfile={file}", "-y", "rateway.tac", tac=True))
        self.assertIn("hello", file.read_text())
        self.assertIsNone(self.observer("-n", "--syslog", "-y", "rateway.tac", tac=True))

    def test_without_twistd(self) -> None:
        """``twist`` and tests have a log of their own."""
        self.assertIsNone(self.observer("--no-such-option", tac=True))


class MainTests(TapTestCase):
    """The command ``rateway``."""

    def test_it_runs_twistd_in_the_foreground(self) -> None:
        """Without a pid file, with its own arguments."""
        ran: list[list[str]] = []
        self.patch(sys, "argv", ["rateway"])
        self.patch(twistd, "run", lambda: ran.append(sys.argv))
        self.patch(Options, "environ", GOOD)
        main.main([])
        self.assertEqual(ran, [["rateway", "--nodaemon", "--pidfile=", "rateway"]])

    def test_mistakes(self) -> None:
        """Are answered in one line, not with twistd's usage."""
        self.patch(Options, "environ", GOOD)
        for arguments in (["--nonsense"], ["a", "b"]):
            self.assertEqual(self.assertRaises(SystemExit, main.main, arguments).code, 2)
        self.assertEqual(self.stderr.getvalue().count("\n"), 2)
        self.assertIn("rateway --help", self.stderr.getvalue())
