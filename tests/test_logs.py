"""Tests of the log: its two forms, whose news are told, and that no secret gets through."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher
from twisted.python import log as legacy
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rateway.logs import REDACTED, JSONLines, Redactor, TextLines, make_observer

TOKEN = "MTIzNDU.abc-DEF_1.xyz"
URI = "amqp://rateway:p%40ss%2Fword@broker/"


class FormTests(SynchronousTestCase):
    """What a line looks like."""

    def lines(self, log_format: str) -> tuple[Logger, io.StringIO]:
        stream = io.StringIO()
        return Logger("rateway.shard.service.ShardService", observer=make_observer(log_format, stream)), stream

    def test_observers(self) -> None:
        """They are what Twisted's log wants."""
        for observer in (
            TextLines(io.StringIO()),
            JSONLines(io.StringIO()),
            Redactor(),
            make_observer("text", io.StringIO()),
        ):
            self.assertTrue(verifyObject(ILogObserver, observer))

    def test_text(self) -> None:
        """Time, level, where from, what."""
        log, stream = self.lines("text")
        log.warn("shard {shard} is slow", shard=3)
        self.assertRegex(
            stream.getvalue(), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warn     \[shard\.service\] shard 3 is slow\n$"
        )

    def test_json(self) -> None:
        """One object a line, its fields beside the message."""
        log, stream = self.lines("json")
        log.info("shard {shard} is slow:\n{why!r}", shard=3, why="ü", thing=object(), late=True)
        line = json.loads(stream.getvalue())
        self.assertEqual(stream.getvalue().count("\n"), 1)
        self.assertEqual(
            {key: line[key] for key in line if key != "time"},
            {
                "level": "info",
                "logger": "rateway.shard.service.ShardService",
                "message": "shard 3 is slow:\n'ü'",
                "shard": 3,
                "why": "ü",
                "late": True,
            },
        )

    def test_a_field_never_hides_the_line(self) -> None:
        """Whatever a call names its values."""
        log, stream = self.lines("json")
        log.info("{logger} {message}", logger="high", message="hm")
        line = json.loads(stream.getvalue())
        self.assertEqual((line["logger"][:8], line["message"]), ("rateway.", "high hm"))

    def test_a_traceback(self) -> None:
        """Below the line, indented; or within the object."""
        for log_format in ("text", "json"):
            log, stream = self.lines(log_format)
            try:
                raise ValueError("broken")
            except ValueError:
                log.failure("computing {x}", x=1)
            text = stream.getvalue()
            self.assertIn("computing 1", text)
            self.assertIn("ValueError: broken", text)
            if log_format == "text":
                self.assertTrue(all(line.startswith("    ") for line in text.splitlines()[1:]))
            else:
                self.assertEqual(json.loads(text)["level"], "critical")

    def test_whose_news_are_told(self) -> None:
        """Ours from info on, the libraries' from warnings on, twistd's as well."""
        stream = io.StringIO()
        observer = make_observer("text", stream)
        for namespace, level in (
            ("rateway.x", LogLevel.debug),
            ("twisted.internet.protocol.Factory", LogLevel.info),
            ("autobahn.x", LogLevel.info),
            ("log_legacy", LogLevel.info),
        ):
            Logger(namespace, observer=observer).emit(level, "too much")
        self.assertEqual(stream.getvalue(), "")
        for namespace, level in (
            ("rateway.x", LogLevel.info),
            ("twisted.internet.protocol.Factory", LogLevel.warn),
            ("twisted.scripts._twistd_unix.UnixAppLogger", LogLevel.info),
            ("stdout", LogLevel.info),
        ):
            Logger(namespace, observer=observer).emit(level, "just right")
        self.assertEqual(stream.getvalue().count("just right"), 4)

    def test_nobody_reads(self) -> None:
        """A closed stream harms nobody."""
        stream = io.StringIO()
        observer = make_observer("text", stream)
        stream.close()
        Logger("rateway.x", observer=observer).info("hello")


class RedactorTests(SynchronousTestCase):
    """The second net."""

    def setUp(self) -> None:
        self.publisher = LogPublisher()
        self.redactor = Redactor()
        self.publisher.addObserver(self.redactor)
        self.texts = io.StringIO()
        self.objects = io.StringIO()
        self.events: list[dict[str, Any]] = []
        observer: Any = self.events.append
        self.publisher.addObserver(make_observer("text", self.texts))
        self.publisher.addObserver(make_observer("json", self.objects))
        self.publisher.addObserver(observer)
        self.log = Logger("rateway.x", observer=self.publisher)

    def learn(self) -> None:
        self.redactor.learn(TOKEN, URI)

    def written(self) -> str:
        return self.texts.getvalue() + self.objects.getvalue() + str(self.events)

    def test_before_it_knows_anything(self) -> None:
        """Nothing is changed."""
        self.log.info("hello {x}", x="y")
        self.assertIn("hello y", self.texts.getvalue())

    def test_in_a_value(self) -> None:
        """The line stays, without the secret."""
        self.learn()
        self.log.info("sending {payload}", payload={"token": TOKEN, "other": 1})
        self.log.info("connecting to {uri}", uri=URI)
        self.log.info("with {password} and {{braces}}", password="p@ss/word")
        self.assertIn(f"sending {{'token': '{REDACTED}', 'other': 1}}", self.texts.getvalue())
        self.assertIn(f"with {REDACTED} and {{braces}}", self.texts.getvalue())
        self.assert_clean()

    def test_in_a_format(self) -> None:
        """Somebody wrote it into the message itself."""
        self.learn()
        self.log.warn(f"token {TOKEN}")
        self.assertIn(f"token {REDACTED}", self.texts.getvalue())
        self.assert_clean()

    def test_in_a_traceback(self) -> None:
        """Of an error's text; the traceback stays."""
        self.learn()
        try:
            raise ValueError(f"bad header Bot {TOKEN}")
        except ValueError:
            self.log.failure("asking")
        self.assertIn("asking", self.texts.getvalue())
        self.assertIn("Traceback", self.texts.getvalue())
        self.assertNotIn(TOKEN, self.texts.getvalue() + self.objects.getvalue())

    def test_in_a_field_that_isnt_shown(self) -> None:
        """JSON lines write all fields."""
        self.learn()
        self.log.info("hello", extra=TOKEN)
        self.assertEqual(json.loads(self.objects.getvalue())["extra"], REDACTED)

    def test_in_an_old_fashioned_event(self) -> None:
        """Libraries still log in Twisted's first way."""
        self.learn()
        old = legacy.LogPublisher(publishPublisher=self.publisher)
        old.msg(f"hello {TOKEN}", isError=1)
        old.msg(failure=Failure(ValueError(TOKEN)), why=f"why {TOKEN}", isError=1)
        self.assertEqual(self.texts.getvalue().count("hello"), 1)
        self.assertNotIn(TOKEN, self.texts.getvalue() + self.objects.getvalue())

    @settings(deadline=None, database=None, max_examples=80)
    @given(
        st.text(max_size=20), st.sampled_from([TOKEN, quote(TOKEN), "p@ss/word", "p%40ss%2Fword"]), st.text(max_size=20)
    )
    def test_wherever_it_stands(self, before: str, secret: str, after: str) -> None:
        """In whatever text around it."""
        self.setUp()
        self.learn()
        self.log.info("{x} {y}", x=before + secret + after, y=[secret])
        self.assert_clean()

    def assert_clean(self) -> None:
        for secret in (TOKEN, "p@ss/word", "p%40ss%2Fword"):
            self.assertNotIn(secret, self.texts.getvalue())
            self.assertNotIn(secret, self.objects.getvalue())
