"""Scenario files: what is read, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rateway.model.intents import Intent
from rateway.simulator.control.actions import parse_action
from rateway.simulator.scenario.reading import ScenarioError, listing, load, packaged, read

HEAD = 'title = "T"\nabout = "A"\n'
STEP = '[[step]]\non = { active = 0 }\ndo = "drop"\nshard = 0\nmark = "dropped"\n'


class ReadingTests(SynchronousTestCase):
    """TOML into scenarios."""

    def test_whole(self) -> None:
        """Every part arrives where it belongs."""
        scenario = read(
            HEAD
            + 'criterion = 8\nbreaches = ["send-limit"]\ntimeout = 9\nhold = 2\npatience = 3\nunseen = ["it logs"]\n'
            + '[client]\ncompression = "none"\n'
            + '[simulator]\nshards = 2\nallowed_intents = "GUILD_MEMBERS"\n'
            + STEP
            + '[[expect]]\nthat = "it resumes"\nsee = "resumes"\nwhere = { behind = 0 }\n'
            + 'since = "dropped"\nwithin = 5\n',
            "name",
        )
        (case,) = scenario.cases
        self.assertEqual((scenario.title, scenario.about, scenario.criterion), ("T", "A", 8))
        self.assertEqual((case.name, case.breaches, case.timeout), ("name", {"send-limit"}, 9.0))
        self.assertEqual((case.hold, case.patience, case.client.compression), (2.0, 3.0, "none"))
        self.assertEqual(case.unseen, ("it logs",))
        self.assertEqual(case.options, {"shards": 2, "allowed_intents": int(Intent.GUILD_MEMBERS)})
        (step,) = case.steps
        self.assertEqual(step.actions, (parse_action({"do": "drop", "shard": 0}),))
        self.assertEqual((step.timing.mark, step.words), ("dropped", "drop (shard 0)"))
        (expect,) = case.expects
        self.assertEqual((expect.words(), expect.kind, expect.least, expect.most), ("it resumes", "resumes", 1, None))

    def test_several_actions(self) -> None:
        """A step may do several things, with fields that the step itself has too; null can be said."""
        text = (
            HEAD + "[[step]]\nat = 1.5\ntimes = 2\nactions = [\n"
            '{ do = "on_connect", after = 4000, times = 3, first = [[7, "$null"]] }, { do = "dispatch", name = "X" }]\n'
        )
        (step,) = read(text, "x").cases[0].steps
        self.assertEqual([type(action).__name__ for action in step.actions], ["OnConnect", "Dispatch"])
        self.assertEqual((step.actions[0].after, step.actions[0].times, step.actions[0].first), (4000, 3, ((7, None),)))
        self.assertEqual((step.timing.at, step.timing.times), (1.5, 2))

    def test_variants(self) -> None:
        """Each variant is a run of its own: its values in place of words, its tables after the common ones."""
        scenario = read(
            HEAD
            + "[simulator]\nshards = 2\n"
            + '[[step]]\ndo = "behave"\nidentify = "$code"\n'
            + '[[expect]]\nnever = "resumes"\n'
            + '[[variant]]\ntitle = "a"\nvalues = { code = 4010 }\nhold = 7\n'
            + '[[variant]]\ntitle = "b"\nvalues = { code = "invalid" }\nsimulator = { guilds = 1 }\n'
            + '[[variant.step]]\nmark = "later"\nafter = 1\n[[variant.expect]]\nnever = "ends"\nsince = "later"\n',
            "x",
        )
        first, second = scenario.cases
        self.assertEqual((first.name, first.steps[0].actions[0].identify, first.hold), ("x:a", 4010, 7.0))
        self.assertEqual((second.steps[0].actions[0].identify, second.hold), ("invalid", 1.0))
        self.assertEqual((dict(first.options), dict(second.options)), ({"shards": 2}, {"shards": 2, "guilds": 1}))
        self.assertEqual((len(first.steps), len(second.steps), len(second.expects)), (1, 2, 2))

    def test_packaged(self) -> None:
        """All that come along can be read; criteria 1 to 36 are among them, 34 left out as in the table."""
        scenarios = [load(name) for name in packaged()]
        numbers = [scenario.criterion for scenario in scenarios if scenario.criterion is not None]
        self.assertEqual(numbers, [*range(1, 34), 35, 36])
        lines = listing().splitlines()
        for scenario in scenarios:
            self.assertTrue(all(case.expects for case in scenario.cases), scenario.name)
            self.assertIn(f"{scenario.name:<14} {scenario.title}", lines)

    def test_by_name_and_variant(self) -> None:
        """A packaged scenario by its name, one variant of it, and a file by its path."""
        self.assertEqual(len(load("criterion_17").cases), 5)
        (case,) = load("criterion_17:4014").cases
        self.assertEqual((case.variant, len(case.unseen)), ("4014", 2))
        path = Path(self.mktemp()) / "mine.toml"
        path.parent.mkdir()
        path.write_text(HEAD)
        self.assertEqual((load(str(path)).name, load(str(path)).title), ("mine", "T"))
        path.write_bytes(b"\xff\xfe")
        self.assertIn("can't be read", str(self.assertRaises(ScenarioError, load, str(path))))

    def test_nothing_of_that_name(self) -> None:
        """What isn't there is told with what is."""
        for name, wanted in (
            ("bad_dya", "is 'bad_day' meant?"),
            ("criterion_17:4099", "its variants are: 4010, 4011"),
            ("criterion_01:x", "it has none"),
        ):
            self.assertIn(wanted, str(self.assertRaises(ScenarioError, load, name)))

    def test_mistakes(self) -> None:
        """Each mistake is told by file, table and key, and how to mend it."""
        expect = '[[expect]]\nsee = "resumes"\n'
        for text, *wanted in (
            ("title =", "no TOML", "end of document"),
            ('title = "T"', "about"),
            (HEAD + "timeot = 1", "the file's head", "'timeot'", "is 'timeout' meant?"),
            (HEAD + "timeout = -1", "timeout"),
            (HEAD + "[simulator]\nshrads = 1", "[simulator]", "is 'shards' meant?"),
            (HEAD + '[simulator]\nshards = "x"', "[simulator]", "shards: Expected `int`"),
            (HEAD + '[simulator]\ntoken = "x"', "'token' can't be chosen"),
            (HEAD + '[simulator]\nallowed_intents = "X"', "[simulator]", "X"),
            (HEAD + '[client]\ncompression = "lz4"', "[client]", "compression"),
            (HEAD + STEP + '[[step]]\ndo = "dorp"', "[[step]] 2", "did you mean drop?"),
            (HEAD + '[[step]]\ndo = "drop"\nhwo = "rst"', "[[step]] 1", "'hwo'", "did you mean how?"),
            (HEAD + '[[step]]\nshard = 0\nmark = "x"', "[[step]] 1", "'shard'"),
            (HEAD + "[[step]]\nafter = 1", "[[step]] 1", "it does nothing"),
            (HEAD + '[[step]]\nat = 1\nafter = 1\nmark = "x"', "at says when by itself"),
            (HEAD + '[[step]]\ndo = "drop"\nactions = [{ do = "drop" }]', "'do'", "put every action into actions"),
            (HEAD + '[[step]]\ndo = "behave"\nafter = 4000', "'after'", "write actions = [{ do = …, after = … }]"),
            (HEAD + '[[step]]\nmark = "x"\non = { active = 0, resumes = 1 }', "one event, not active and resumes"),
            (HEAD + '[[step]]\nmark = "x"\non = { active = 0, where = { seq = 1 } }', "where has no meaning"),
            (HEAD + '[[step]]\nmark = "x"\non = { resumes = 1, where = { sec = 1 } }', "resumes have no field 'sec'"),
            (HEAD + '[[step]]\nmark = "x"\n' * 2, "the mark 'x' is given twice"),
            (HEAD + "[[expect]]\nwithin = 1", "[[expect]] 1", "give one of see, never, always and delivered"),
            (HEAD + expect + 'never = "ends"', "not see and never"),
            (HEAD + expect + 'since = "x"', "since = 'x' is no step's mark; no step has a mark"),
            (HEAD + '[[expect]]\nnever = "resumes"\nwithin = 1', "within has no meaning with never"),
            (HEAD + '[[expect]]\nalways = "resumes"', "always and must go together"),
            (HEAD + expect + "count = 1\nat_most = 2", "count says it all"),
            (HEAD + expect + "at_most = 0", "is never"),
            (HEAD + expect + "at_least = 3\nat_most = 2", "below at_least"),
            (HEAD + expect + 'per = "shard"', "per has no meaning without apart"),
            (HEAD + expect + 'rising = "hsard"', "rising: resumes have no field 'hsard'"),
            (HEAD + expect + "regular = 0.1", "regular is about heartbeats"),
            (HEAD + expect + "where = { seq = { lest = 1 } }", "least, most, matches"),
            (HEAD + expect + 'where = { seq = { least = "a" } }', "must be a number"),
            (HEAD + expect + 'where = { host = { matches = "(" } }', "no regular expression"),
            (HEAD + "[[expect]]\ndelivered = true\nwhere = { seq = 1 }", "where has no meaning with delivered"),
            (HEAD + '[[expect]]\nsee = "resume"', "[[expect]] 1", "see: Invalid enum value"),
            (HEAD + '[[step]]\ndo = "close"\ncode = "$code"', "$code stands for nothing"),
            (HEAD + '[[variant]]\ntitle = "a:b"', "nor contain a colon"),
            (HEAD + '[[variant]]\ntitle = "a"\n' * 2, "titles must differ"),
        ):
            error = str(self.assertRaises(ScenarioError, read, text, "x", "x.toml"))
            for part in ("x.toml", *wanted):
                self.assertIn(part, error)
