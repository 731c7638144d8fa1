"""What ``twistd rateway`` builds: the parent's only composition root.

``twistd -n rateway [FILE]``, ``twistd -ny rateway.tac`` and the command ``rateway [FILE]`` all come through here.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TextIO

from twisted.application.service import IService, MultiService
from twisted.internet.error import ReactorAlreadyInstalledError
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.python import usage
from twisted.python.components import Componentized
from twisted.python.logfile import LogFile
from twisted.scripts._twistd_unix import ServerOptions

from rateway import __version__
from rateway.config import Config, load_config
from rateway.errors import ConfigError
from rateway.http.client import DiscordClient
from rateway.logs import Redactor, make_observer
from rateway.process import ending
from rateway.process.parent import Parent
from rateway.process.signals import StopSignals
from rateway.process.spawning import spawn

ending.install()


class Options(usage.Options):
    """The command line, and behind it the configuration.

    :ivar config: there once the options are parsed.
    """

    synopsis = "[FILE]"
    longdesc = (
        "Holds a Discord bot's gateway connections and puts their events into AMQP. Settings come from the "
        "environment (DISCORD_TOKEN, INTENTS and AMQP_URI are required) or from a TOML file; where both set a value, "
        "the environment's counts. docs/operations.md lists them all."
    )
    environ: Mapping[str, str] = os.environ
    config: Config

    def parseArgs(self, file: str | None = None) -> None:
        self["file"] = file

    def getSynopsis(self) -> str:
        if self.parent is None:
            return f"Usage: rateway {self.synopsis}"
        return str(super().getSynopsis())

    def opt_version(self) -> NoReturn:
        """Display rateway's version and exit."""
        print(f"rateway {__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        """Load the configuration.

        A wrong one ends the start here: an exception that twistd knows would print a screen of usage, any other a
        traceback.
        """
        file = self["file"]
        try:
            self.config = load_config(self.environ, Path(file) if file else None)
        except ConfigError as error:
            print(error, file=sys.stderr)
            raise SystemExit(1) from None


class Rateway(MultiService):
    """The whole of it, as an application of twistd's holds it.

    :param observer: makes the log's observer; twistd takes it from the application, unless told ``--logger``.
    """

    def __init__(self, parent: Parent, observer: Callable[[], ILogObserver] | None) -> None:
        super().__init__()
        self._observer = observer
        parent.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        super().setServiceParent(parent)
        if self._observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer())


def makeService(options: Options) -> IService:
    """The parent, not yet started."""
    from twisted.internet import reactor as untyped

    reactor: Any = untyped
    config = options.config
    redactor = Redactor()
    redactor.learn(config.token, config.amqp_uri)
    # Before twistd begins to log, so that it comes before every other observer.
    globalLogPublisher.addObserver(redactor)
    end = ending.Ending(reactor, ending.exit_with, ending.set_alarm)
    parent = Parent(
        reactor,
        config,
        DiscordClient(reactor, config.api_url, config.token),
        end,
        lambda process: spawn(reactor, process, options.environ),
        lambda hurry, give_up: StopSignals(reactor, end.stop, hurry, give_up),
    )
    twistd = options.parent if isinstance(options.parent, ServerOptions) else _options_of_tac()
    ours = twistd is not None and not twistd.get("syslog")
    return Rateway(parent, partial(_observer, config.log_format, twistd or {}) if ours else None)


def _options_of_tac() -> ServerOptions | None:
    """twistd's options, where it runs a .tac: that doesn't get to see them."""
    options = ServerOptions()
    try:
        options.parseOptions(sys.argv[1:])
    except (usage.UsageError, SystemExit, ReactorAlreadyInstalledError):
        return None
    return options if options["python"] else None


def _observer(log_format: str, twistd: Mapping[str, Any]) -> ILogObserver:
    """Where twistd's options say the log goes, in the form that LOG_FORMAT says."""
    name = twistd.get("logfile")
    if twistd.get("nodaemon") and name in (None, "", "-"):
        return make_observer(log_format, sys.stdout)
    if name == "-":
        sys.exit("a daemon has no stdout to log to: use twistd -n, or --logfile with a file's name")
    return make_observer(log_format, _rotated(name or "twistd.log"))


def _rotated(name: str) -> TextIO:
    """A log file as twistd keeps it: rotated when it has grown, or by SIGUSR1."""
    file: Any = LogFile.fromFullPath(name)
    if not signal.getsignal(signal.SIGUSR1):
        signal.signal(signal.SIGUSR1, lambda *_: file.rotate())
    return file  # type: ignore[no-any-return]
