"""Tests of the configuration: what is read, what is refused, and in which words."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from string import ascii_letters, digits

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.config import Config, from_wire, load_config, to_wire
from rateway.errors import ConfigError
from rateway.model.intents import ALL
from rateway.model.kinds import KINDS
from rateway.presence import MAX_BYTES
from rateway.settings import SETTINGS, nearest_key
from rateway.store.kinds import KINDS as STORED
from rateway.values import LONGEST_TEXT, MOST_NAMES
from tests.support.certificates import make_certificates

TOKEN = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs"
NEEDED = {"DISCORD_TOKEN": TOKEN, "INTENTS": "513", "AMQP_URI": "amqp://user:pass-word@broker/vhost"}

quick = settings(deadline=None, database=None, max_examples=60)


class ConfigCase(SynchronousTestCase):
    """Helpers for all of the tests here."""

    def load(self, **variables: str) -> Config:
        """The configuration of an environment with all that is required, and these."""
        return load_config({**NEEDED, **variables}, None)

    def file(self, toml: str) -> Path:
        """A configuration file."""
        path = Path(self.mktemp()).absolute()
        path.write_text(toml, encoding="utf-8")
        return path

    def problems(self, environ: Mapping[str, str], path: Path | None = None) -> list[str]:
        """The lines by which a configuration is refused."""
        return str(self.assertRaises(ConfigError, load_config, environ, path)).split("\n")

    def problem(self, **variables: str) -> str:
        """The one line by which an environment is refused that is fine but for these."""
        lines = self.problems({**NEEDED, **variables})
        self.assertEqual(len(lines), 1, lines)
        return lines[0]


class DefaultTests(ConfigCase):
    """What holds without being said."""

    def test_defaults(self) -> None:
        """With only what is required, all else is as documented."""
        self.assertEqual(
            self.load(),
            Config(
                token=TOKEN,
                intents=513,
                amqp_uri="amqp://user:pass-word@broker/vhost",
                shards_per_cluster=8,
                extra_shards=8,
                total_shards=None,
                shards_multiple=None,
                cache_enabled=True,
                message_cache_size=0,
                cache_entities=None,
                chunk_guilds="off",
                processes=None,
                state_dir=Path.cwd() / "rateway-state",
                api_url="https://discord.com/api/v10",
                compression="zlib-stream",
                amqp_persistent=True,
                amqp_ca=None,
                spool_limit=1024**3,
                event_ttl={},
                command_ttl=30.0,
                log_format="text",
                presence=None,
            ),
        )

    def test_empty_is_unset(self) -> None:
        """An empty or blank variable is as good as none, as compose files write them."""
        blank = {setting.variable: " " for setting in SETTINGS if setting.variable not in NEEDED}
        self.assertEqual(self.load(**blank), self.load())

    def test_empty_in_file_is_unset(self) -> None:
        """An empty text in the file is as good as none."""
        self.assertEqual(load_config(NEEDED, self.file('amqp_ca = ""\ncompression = ""')), self.load())

    def test_missing(self) -> None:
        """What is required and missing is named, each on a line, in both spellings."""
        lines = self.problems({})
        self.assertEqual([line.split(":")[0] for line in lines], [f"{name} is missing" for name in NEEDED])
        for line, key in zip(lines, ("token", "intents", "amqp"), strict=True):
            self.assertIn(f"set it in the environment, or {key} in the file", line)

    def test_secrets_not_in_repr(self) -> None:
        """Neither the token nor the broker's password is in what a debugger or a log shows."""
        self.assertNotIn(TOKEN, repr(self.load()))
        self.assertNotIn("pass-word", repr(self.load()))


class EnvironmentTests(ConfigCase):
    """Values from the environment."""

    def test_numbers(self) -> None:
        """Whole numbers are read within sane bounds."""
        config = self.load(
            SHARDS_PER_CLUSTER="3",
            EXTRA_SHARDS="0",
            TOTAL_SHARDS="32",
            SHARDS_MULTIPLE="16",
            MESSAGE_CACHE_SIZE=" 100 ",
            PROCESSES="2",
        )
        self.assertEqual((config.shards_per_cluster, config.extra_shards, config.total_shards), (3, 0, 32))
        self.assertEqual((config.shards_multiple, config.message_cache_size, config.processes), (16, 100, 2))

    def test_numbers_out_of_bounds(self) -> None:
        """A number that makes no sense is refused with the bounds."""
        for variable, wrong in (
            ("SHARDS_PER_CLUSTER", "0"),
            ("EXTRA_SHARDS", "-1"),
            ("TOTAL_SHARDS", "0"),
            ("SHARDS_MULTIPLE", "0"),
            ("PROCESSES", "0"),
            ("MESSAGE_CACHE_SIZE", "-5"),
            ("MESSAGE_CACHE_SIZE", "999999999999"),
        ):
            line = self.problem(**{variable: wrong})
            self.assertTrue(line.startswith(f"{variable}: {wrong} is out of bounds: give a whole number from "), line)

    def test_no_numbers(self) -> None:
        """What is no whole number is refused, Python's own spellings included."""
        for wrong in ("eight", "8.0", "1_0", "0x8", "٣", "", "8 8"):
            if wrong:
                self.assertIn("is no whole number: give one from 1 to", self.problem(SHARDS_PER_CLUSTER=wrong))

    def test_flags(self) -> None:
        """Yes and no in the usual spellings."""
        for word, value in (("true", True), ("FALSE", False), ("1", True), ("0", False), ("on", True), ("no", False)):
            self.assertIs(self.load(CACHE_ENABLED=word).cache_enabled, value)
            self.assertIs(self.load(AMQP_PERSISTENT=word).amqp_persistent, value)
        self.assertEqual(self.problem(CACHE_ENABLED="maybe"), "CACHE_ENABLED: 'maybe' is neither true nor false")

    def test_choices(self) -> None:
        """A word that is none of the few lists them."""
        self.assertEqual(self.load(COMPRESSION="zstd-stream").compression, "zstd-stream")
        self.assertEqual(self.load(LOG_FORMAT="JSON").log_format, "json")
        self.assertEqual(
            self.problem(COMPRESSION="gzip"), "COMPRESSION: 'gzip' is none of zlib-stream, zstd-stream, none"
        )

    def test_durations(self) -> None:
        """Times are seconds, or bear their unit."""
        for text, seconds in (("30", 30), ("45s", 45), ("500ms", 0.5), ("2m", 120), ("1h", 3600), ("1.5 s", 1.5)):
            self.assertEqual(self.load(COMMAND_TTL=text).command_ttl, seconds)
        for wrong in ("soon", "5x", "-3", "nan", "inf", "1e3", "3 days"):
            self.assertIn("is no duration: give one like 30s, 500ms or 2m", self.problem(COMMAND_TTL=wrong))
        self.assertIn("'25h' is out of bounds: give from 0.1s to 86400s", self.problem(COMMAND_TTL="25h"))
        for nothing in ("0", "0s", "50ms"):
            self.assertIn(
                f"'{nothing}' is out of bounds (every command would be refused): give from 0.1s to 86400s",
                self.problem(COMMAND_TTL=nothing),
            )

    def test_sizes(self) -> None:
        """Bytes, or with a unit, in powers of 1024."""
        for text, size in (
            ("1048576", 1024**2),
            ("1MiB", 1024**2),
            ("1.5 gib", 3 * 512 * 1024**2),
            ("20M", 20 * 1024**2),
            ("2gb", 2 * 1024**3),
            ("1T", 1024**4),
        ):
            self.assertEqual(self.load(SPOOL_LIMIT=text).spool_limit, size)
        for wrong in ("plenty", "1 PiB", "-1", "1e9", "nan", "0x100", "1,5GiB"):
            self.assertIn(
                "is no size: give one like 1GiB, 512MiB or a number of bytes", self.problem(SPOOL_LIMIT=wrong)
            )
        for beyond in ("0", "1023KiB", "1025GiB"):
            self.assertEqual(
                self.problem(SPOOL_LIMIT=beyond), f"SPOOL_LIMIT: {beyond!r} is out of bounds: give from 1MiB to 1TiB"
            )

    def test_times_to_live(self) -> None:
        """Event names with times; blanks and small letters don't matter."""
        for text, times in (
            ("INTERACTION_CREATE=3s,TYPING_START=10s", {"INTERACTION_CREATE": 3000, "TYPING_START": 10_000}),
            (" typing_start = 500ms , ", {"TYPING_START": 500}),
            ("TOMORROWS_EVENT=2m", {"TOMORROWS_EVENT": 120_000}),
        ):
            self.assertEqual(self.load(EVENT_TTL=text).event_ttl, times)
        many = ",".join(f"A{number}=1s" for number in range(101))
        for text, sentence in (
            ("INTERACTION_CREATE", "it has a name without a time; give names and times like INTERACTION_CREATE=3s,"),
            ("=3s", "'' is no event's name"),
            ("A B=3s", "'A B' is no event's name"),
            ("A=soon", "of A, 'soon' is no duration"),
            ("A=", "of A, '' is no duration"),
            ("A=0s", "of A, '0s' is out of bounds"),
            ("A=25h", "of A, '25h' is out of bounds"),
            ("A=1s,a=2s", "'A' is named twice"),
            (many, "it has 101 names, more than 100"),
        ):
            line = self.problem(EVENT_TTL=text)
            self.assertTrue(line.startswith("EVENT_TTL: "), line)
            self.assertIn(sentence, line)

    def test_intents(self) -> None:
        """Intents are a number, or names."""
        self.assertEqual(self.load(INTENTS=str(int(ALL))).intents, 53608447)
        named = self.load(INTENTS="guilds, GUILD_MESSAGES").intents
        self.assertEqual((named, type(named)), (513, int))
        self.assertEqual(
            self.problem(INTENTS="GUILDS,GUILD_MESAGES"),
            "INTENTS: GUILD_MESAGES is no intent of Discord's (the nearest is GUILD_MESSAGES)",
        )
        self.assertIn("no intent of Discord's (131072)", self.problem(INTENTS="131073"))

    def test_entities(self) -> None:
        """The kinds that the cache keeps are names, or all."""
        self.assertEqual(self.load(CACHE_ENTITIES="role, Member,").cache_entities, frozenset({"Role", "Member"}))
        self.assertEqual(self.load(CACHE_ENTITIES=",".join(KINDS)).cache_entities, KINDS)
        self.assertIsNone(self.load(CACHE_ENTITIES="all").cache_entities)
        self.assertIn("(the nearest is Role)", self.problem(CACHE_ENTITIES="Member,Rolls"))

    def test_chunk_guilds(self) -> None:
        """When members are asked for is one of three words."""
        for word in ("off", "lazy", "startup"):
            self.assertEqual(self.load(CHUNK_GUILDS=f" {word.upper()} ").chunk_guilds, word)
        self.assertEqual(self.problem(CHUNK_GUILDS="always"), "CHUNK_GUILDS: 'always' is none of off, lazy, startup")

    def test_api_url(self) -> None:
        """The API's address loses the slash at its end, and must be a web address without frills."""
        self.assertEqual(
            self.load(DISCORD_API_URL="http://127.0.0.1:8080/api/v10/").api_url, "http://127.0.0.1:8080/api/v10"
        )
        for wrong in (
            "discord.com/api",
            "ftp://discord.com",
            "https://",
            "https://a@b",
            "https://a/?b",
            "https://[",
            "http://a:b",
        ):
            self.assertIn("give one like https://discord.com/api/v10", self.problem(DISCORD_API_URL=wrong))


class TokenTests(ConfigCase):
    """The token, and what people copy along with it."""

    def test_prefix(self) -> None:
        """Discord's prefix and blanks around the token are taken off."""
        for given_token in (f"Bot {TOKEN}", f" bot  {TOKEN}\n", f"{TOKEN}\r\n"):
            self.assertEqual(self.load(DISCORD_TOKEN=given_token).token, TOKEN)

    def test_not_a_prefix(self) -> None:
        """A token that happens to begin with the letters of the prefix is left as it is."""
        self.assertEqual(self.load(DISCORD_TOKEN="Botany.a.b").token, "Botany.a.b")

    def test_blanks_inside(self) -> None:
        """A token with blanks, line breaks or strange characters inside is refused, unseen."""
        for wrong in (f"{TOKEN[:20]} {TOKEN[20:]}", f"{TOKEN[:20]}\n{TOKEN[20:]}", f"{TOKEN}\u00a0x", f"“{TOKEN}”"):
            line = self.problem(DISCORD_TOKEN=wrong)
            self.assertTrue(line.startswith("DISCORD_TOKEN: "), line)
            for part in TOKEN[:20], TOKEN[20:]:
                self.assertNotIn(part, line)

    def test_only_prefix(self) -> None:
        """The prefix alone is no token."""
        self.assertEqual(self.problem(DISCORD_TOKEN="Bot ").split(":")[0], "DISCORD_TOKEN")


class BrokerTests(ConfigCase):
    """AMQP_URI, which holds a password."""

    def test_accepted(self) -> None:
        """What AMQP's URI specification allows is passed on as it is."""
        for uri in (
            "amqp://",
            "amqps://broker",
            "AMQP://user:p%40ss%2Fword@broker:5672/%2f",
            "amqps://u:p@[::1]:5671/v?heartbeat=5",
            "amqp://u:p:q@broker/",
            "amqp://u@broker:/",
        ):
            self.assertEqual(self.load(AMQP_URI=uri).amqp_uri, uri)

    def test_refused(self) -> None:
        """A wrong URI is refused with what is wrong and how to write it, and without its password."""
        for uri, hint in (
            ("http://u:hush-hush@broker", "must begin with amqp:// or amqps://"),
            ("broker:5672", "must begin with amqp:// or amqps://"),
            ("u:hush-hush@broker", "must begin with amqp:// or amqps://"),
            ("amqp://u:hush hush@broker", "%20"),
            ("amqp://u:hush#hush@broker", "%23"),
            ("amqp://u:hush/hush@broker", "%2F"),
            ("amqp://u:hush-hush@broker:99999", "port can't be read"),
            ("amqp://u:hush-hush@broker:0", "port can't be read"),
            ("amqp://u:hush-hush@[::1", "port can't be read"),
            ("amqp://u:hush-hush@broker\u0000", "control character"),
            ("amqp://u:hush-hush@" + "ü" * 2100, "longer than 4096 bytes"),
        ):
            line = self.problem(AMQP_URI=uri)
            self.assertTrue(line.startswith("AMQP_URI: "), line)
            self.assertIn(hint, line)
            self.assertNotIn("hush", line)

    def test_authority(self) -> None:
        """AMQP_CA must be a file with a certificate; its path becomes absolute."""
        made = make_certificates(Path(self.mktemp()))
        self.assertEqual(self.load(AMQP_CA=str(made.authority)).amqp_ca, made.authority.absolute())
        self.assertIn("No such file", self.problem(AMQP_CA="/nowhere/ca.pem"))
        self.assertIn("holds no certificate", self.problem(AMQP_CA=str(made.good.key)))
        self.assertIn("can't be read", self.problem(AMQP_CA=str(made.authority.parent)))


class PathTests(ConfigCase):
    """STATE_DIR."""

    def test_absolute(self) -> None:
        """A relative folder is taken from where rateway was started, and holds wherever its children run."""
        self.assertEqual(self.load(STATE_DIR="here/there").state_dir, Path.cwd() / "here/there")
        self.assertEqual(self.load(STATE_DIR="/var/lib/rateway").state_dir, Path("/var/lib/rateway"))

    def test_home(self) -> None:
        """A ~ is the user's home, also where no shell replaces it."""
        self.assertEqual(self.load(STATE_DIR="~/state").state_dir, Path.home() / "state")
        self.assertIn("stands for no user's folder", self.problem(STATE_DIR="~nobody-of-that-name/state"))

    def test_file_in_the_way(self) -> None:
        """A file is no folder."""
        self.assertIn("is a file: give a folder", self.problem(STATE_DIR=str(self.file(""))))

    def test_unusable_name(self) -> None:
        """A name that the system can't even look for is refused."""
        self.assertIn("File name too long", self.problem(STATE_DIR="a" * 300))
        self.assertIn("not valid UTF-8", self.problem(STATE_DIR=os.fsdecode(b"/tmp/\xff")))


class PresenceTests(ConfigCase):
    """PRESENCE, which goes into IDENTIFY."""

    def test_completed(self) -> None:
        """Fields left out get values that change nothing; the shard's place stays."""
        text = self.load(PRESENCE='{"activities": [{"name": "sharđ {{shard}}", "type": 0}]}').presence or ""
        self.assertIn("sharđ {{shard}}", text)
        self.assertEqual(
            json.loads(text),
            {"since": None, "activities": [{"name": "sharđ {{shard}}", "type": 0}], "status": "online", "afk": False},
        )

    def test_table(self) -> None:
        """In the file it is a table, and yields the same."""
        path = self.file('[presence]\nstatus = "idle"\nactivities = [{name = "chess", type = 3, state = "e4"}]')
        self.assertEqual(
            load_config(NEEDED, path).presence,
            self.load(
                PRESENCE='{"status": "idle", "activities": [{"name": "chess", "type": 3, "state": "e4"}]}'
            ).presence,
        )

    def test_refused(self) -> None:
        """What Discord would not take is refused by the field's name."""
        for text, hint in (
            ("online", "it is no JSON (near character 1)"),
            ("{'status': 'idle'}", "in double quotes throughout"),
            ("[]", "must be a JSON object"),
            ('"idle"', "must be a JSON object"),
            ('{"stats": "idle"}', "'stats' is no field of a presence (the nearest is status)"),
            ('{"status": "away"}', "status must be one of online, dnd, idle, invisible, offline, not 'away'"),
            ('{"status": []}', "status must be one of"),
            ('{"afk": 1}', "afk must be true or false"),
            ('{"since": "now"}', "since must be null"),
            ('{"since": -1}', "since must be null"),
            ('{"since": NaN}', "it is no JSON"),
            ('{"activities": {}}', "activities must be a list"),
            ('{"activities": ["chess"]}', 'needs a "name"'),
            ('{"activities": [{"name": "chess"}]}', 'a "type"'),
            ('{"activities": [{"name": "chess", "type": true}]}', 'a "type"'),
            ('{"activities": [{"name": "\\ud800", "type": 0}]}', "no form for"),
            ('{"activities": [{"name": "%s", "type": 0}]}' % ("é" * 1500), "at most 3000 go into IDENTIFY"),
            ("[" * 100_000, "nested too deeply"),
        ):
            line = self.problem(PRESENCE=text)
            self.assertTrue(line.startswith("PRESENCE: "), line)
            self.assertIn(hint, line)

    def test_date_in_table(self) -> None:
        """A TOML date has no form in JSON."""
        path = self.file('[presence]\nactivities = [{name = "chess", type = 0, created_at = 2024-01-01}]')
        self.assertIn(f"presence in {path}: it holds a value that JSON has no form for", self.problems(NEEDED, path)[0])


class FileTests(ConfigCase):
    """The TOML file."""

    def test_all_keys(self) -> None:
        """A file can hold every setting."""
        made = make_certificates(Path(self.mktemp()))
        path = self.file(f"""
            token = "{TOKEN}"
            intents = ["GUILDS", "GUILD_MESSAGES"]
            amqp = "amqps://broker"
            cache_enabled = false
            message_cache_size = 5
            cache_entities = ["Role"]
            chunk_guilds = "startup"
            processes = 2
            state_dir = "/var/lib/rateway"
            api_url = "http://localhost/api"
            compression = "none"
            amqp_persistent = false
            amqp_ca = "{made.authority}"
            spool_limit = "256MiB"
            command_ttl = 1.5
            log_format = "json"
            [shards]
            per_cluster = 3
            extra = 0
            total = 12
            multiple = 4
            [event_ttl]
            INTERACTION_CREATE = "3s"
            TYPING_START = 10
            [presence]
            status = "dnd"
        """)
        self.assertEqual(
            load_config({}, path),
            Config(
                token=TOKEN,
                intents=513,
                amqp_uri="amqps://broker",
                shards_per_cluster=3,
                extra_shards=0,
                total_shards=12,
                shards_multiple=4,
                cache_enabled=False,
                message_cache_size=5,
                cache_entities=frozenset({"Role"}),
                chunk_guilds="startup",
                processes=2,
                state_dir=Path("/var/lib/rateway"),
                api_url="http://localhost/api",
                compression="none",
                amqp_persistent=False,
                amqp_ca=made.authority.absolute(),
                spool_limit=256 * 1024**2,
                event_ttl={"INTERACTION_CREATE": 3000, "TYPING_START": 10_000},
                command_ttl=1.5,
                log_format="json",
                presence='{"since":null,"activities":[],"status":"dnd","afk":false}',
            ),
        )

    def test_intents_as_number(self) -> None:
        """A number stays a number, and text stays text."""
        for toml in ("intents = 513", 'intents = "513"', 'intents = "GUILDS,GUILD_MESSAGES"'):
            environ = {name: value for name, value in NEEDED.items() if name != "INTENTS"}
            self.assertEqual(load_config(environ, self.file(toml)).intents, 513)

    def test_environment_wins(self) -> None:
        """Where both set a value the environment's counts, and the file's is not even judged."""
        path = self.file('log_format = "xml"\n[shards]\nper_cluster = 3\nextra = 2')
        config = load_config({**NEEDED, "LOG_FORMAT": "json", "SHARDS_PER_CLUSTER": "4"}, path)
        self.assertEqual((config.log_format, config.shards_per_cluster, config.extra_shards), ("json", 4, 2))

    def test_named_by_key(self) -> None:
        """A wrong value of the file is named by its key and the file."""
        path = self.file("[shards]\nper_cluster = 0")
        self.assertEqual(
            self.problems(NEEDED, path),
            [f"shards.per_cluster in {path}: 0 is out of bounds: give a whole number from 1 to 10000"],
        )

    def test_wrong_types(self) -> None:
        """A value of another type is refused, never guessed at."""
        for toml in (
            "token = 5",
            "intents = true",
            "intents = [1]",
            "amqp = []",
            "cache_enabled = 1",
            "message_cache_size = true",
            "message_cache_size = 1.0",
            "cache_entities = 1",
            "cache_entities = [1]",
            "chunk_guilds = true",
            "state_dir = 1",
            "compression = 1",
            "spool_limit = true",
            "spool_limit = 1.5",
            "spool_limit = []",
            "event_ttl = 3",
            "event_ttl = [1]",
            "event_ttl = {A = true}",
            "event_ttl = {A = nan}",
            "event_ttl = {A = [1]}",
            "command_ttl = true",
            "command_ttl = nan",
            "command_ttl = inf",
            "presence = 1",
            "shards.extra = []",
        ):
            path = self.file(toml)
            key = toml.split(" ")[0]
            environ = {name: value for name, value in NEEDED.items() if not toml.startswith(self.key_of(name))}
            lines = self.problems(environ, path)
            self.assertEqual([line.split(":")[0] for line in lines], [f"{key} in {path}"], lines)

    @staticmethod
    def key_of(variable: str) -> str:
        """The file's key of a variable."""
        return next(setting.key for setting in SETTINGS if setting.variable == variable)

    def test_unknown_keys(self) -> None:
        """A key that is no setting is an error, which names the one that was probably meant."""
        path = self.file('intens = 1\nDISCORD_TOKEN = "x"\nper_cluster = 2\n[shards]\nextras = 1')
        self.assertEqual(
            self.problems(NEEDED, path),
            [
                f"DISCORD_TOKEN in {path}: there is no such setting; the nearest is token",
                f"intens in {path}: there is no such setting; the nearest is intents",
                f"per_cluster in {path}: there is no such setting; the nearest is shards.per_cluster",
                f"shards.extras in {path}: there is no such setting; the nearest is shards.extra",
            ],
        )

    def test_table_expected(self) -> None:
        """The table of shards given as a value says so."""
        path = self.file("shards = 4")
        self.assertEqual(self.problems(NEEDED, path), [f"shards in {path}: it must be a table, [shards]"])

    def test_unreadable(self) -> None:
        """A file that is missing, a folder, no TOML, or in another encoding is one clear line."""
        self.assertEqual(
            self.problems({}, Path("/nowhere/rateway.toml")),
            ["the configuration file /nowhere/rateway.toml can't be read: No such file or directory"],
        )
        self.assertIn("can't be read", self.problems({}, Path("/"))[0])
        broken = self.file(f"token: {TOKEN}")
        self.assertEqual(self.problems({}, broken), [f"the configuration file {broken} is no TOML at line 1, column 6"])
        unended = self.file(f'token = "{TOKEN}')
        self.assertEqual(
            self.problems({}, unended), [f"the configuration file {unended} is no TOML at end of document"]
        )
        latin = self.file("")
        latin.write_bytes("# Schlüssel".encode("latin-1"))
        self.assertIn("not in UTF-8", self.problems({}, latin)[0])

    def test_byte_order_mark(self) -> None:
        """The mark that some editors put at the beginning does no harm."""
        path = self.file("")
        path.write_bytes(b"\xef\xbb\xbf[shards]\nextra = 1")
        self.assertEqual(load_config(NEEDED, path).extra_shards, 1)

    @given(st.text(max_size=30))
    @quick
    def test_nearest_is_a_setting(self, key: str) -> None:
        """Whatever the wrong key is, the one proposed exists."""
        self.assertIn(nearest_key(key), [setting.key for setting in SETTINGS])


class ReportTests(ConfigCase):
    """All wrong values at once, and never a secret."""

    def test_all_at_once(self) -> None:
        """Every wrong value has its line, whether of the environment or of the file."""
        path = self.file('compression = "gzip"\nbogus = 1')
        lines = self.problems({**NEEDED, "EXTRA_SHARDS": "x", "LOG_FORMAT": "xml", "INTENTS": ""}, path)
        self.assertEqual(
            [line.split(":")[0] for line in lines],
            [f"bogus in {path}", "INTENTS is missing", "EXTRA_SHARDS", f"compression in {path}", "LOG_FORMAT"],
        )

    def test_token_in_the_wrong_place(self) -> None:
        """The token, put where something else belongs, is not repeated."""
        for setting in SETTINGS[1:]:
            for form in TOKEN, f"Bot {TOKEN}", f"{TOKEN},{TOKEN}", f"/{TOKEN}/x":
                environ = {**NEEDED, "DISCORD_TOKEN": TOKEN, setting.variable: form}
                try:
                    load_config(environ, None)
                except ConfigError as error:
                    self.assertNotIn(TOKEN.upper(), str(error).upper())

    def test_everything_swapped(self) -> None:
        """Token, intents and URI, each in another's place, are refused without repeating any."""
        report = "\n".join(self.problems({"DISCORD_TOKEN": "5 13", "INTENTS": NEEDED["AMQP_URI"], "AMQP_URI": TOKEN}))
        self.assertNotIn(TOKEN, report)
        self.assertNotIn("pass-word", report)

    def test_password_in_the_wrong_place(self) -> None:
        """The broker's URI, put where something else belongs, does not give its password away."""
        uri = "amqp://rateway:pa%24%24-word@broker"
        elsewhere = {s.variable for s in SETTINGS} - {"AMQP_URI", "STATE_DIR", "DISCORD_TOKEN"}
        report = "\n".join(self.problems({**NEEDED, **dict.fromkeys(elsewhere, uri)}))
        self.assertEqual(len(report.split("\n")), len(elsewhere))
        self.assertNotIn("pa%24%24", report)
        self.assertNotIn("pa$$-word", report)

    @given(
        st.sampled_from([setting.variable for setting in SETTINGS[3:]]),
        st.text(alphabet=ascii_letters + digits + "-_.", min_size=8, max_size=80),
        st.sampled_from(("{}", "x{}", "{}=1", "[{}]", '{{"status": "{}"}}', "1 {}")),
    )
    @quick
    def test_no_secret_in_any_report(self, variable: str, secret: str, form: str) -> None:
        """Whatever is wrong and however, the report holds neither token nor password."""
        environ = {**NEEDED, "DISCORD_TOKEN": f"TOKEN{secret}", "AMQP_URI": f"amqp://u:PASS{secret}@h"}
        try:
            load_config({**environ, variable: form.format(f"TOKEN{secret}PASS{secret}"), "INTENTS": "?"}, None)
        except ConfigError as error:
            self.assertNotIn(f"TOKEN{secret}", str(error))
            self.assertNotIn(f"PASS{secret}", str(error))
        else:
            self.fail("INTENTS was wrong")

    @given(
        st.dictionaries(
            st.sampled_from([s.variable for s in SETTINGS]), st.text(max_size=20).filter(lambda t: "\0" not in t)
        )
    )
    @quick
    def test_never_another_error(self, environ: dict[str, str]) -> None:
        """Whatever the environment holds, it is either a configuration or a readable refusal of whole lines."""
        try:
            load_config(environ, None)
        except ConfigError as error:
            for line in str(error).split("\n"):
                self.assertRegex(line, r"^[A-Z_]+( is missing)?: ")


class TableTests(SynchronousTestCase):
    """The table of settings itself."""

    def test_every_field_has_a_setting(self) -> None:
        """What can be configured and what is configuration are the same."""
        fields = [attribute.name for attribute in Config.__attrs_attrs__]
        self.assertEqual(sorted(setting.field for setting in SETTINGS), sorted(fields))

    def test_kinds_of_the_store(self) -> None:
        """The kinds that can be chosen are those that the store can keep."""
        self.assertEqual(KINDS, frozenset(STORED))

    def test_names_are_unique(self) -> None:
        """No variable or key is taken twice."""
        self.assertEqual(len({setting.variable for setting in SETTINGS}), len(SETTINGS))
        self.assertEqual(len({setting.key for setting in SETTINGS}), len(SETTINGS))


words = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
numbers = st.none() | st.integers(1, 100_000)
paths = words.map(lambda text: Path("/") / text.replace("/", "-"))
configs = st.builds(
    Config,
    token=words,
    intents=st.integers(0, int(ALL)),
    amqp_uri=words,
    shards_per_cluster=st.integers(1, 99),
    extra_shards=st.integers(0, 99),
    total_shards=numbers,
    shards_multiple=numbers,
    cache_enabled=st.booleans(),
    message_cache_size=st.integers(0, 99),
    cache_entities=st.none() | st.frozensets(st.sampled_from(sorted(KINDS))),
    chunk_guilds=st.sampled_from(("off", "lazy", "startup")),
    processes=numbers,
    state_dir=paths,
    api_url=words,
    compression=st.sampled_from(("zlib-stream", "zstd-stream", "none")),
    amqp_persistent=st.booleans(),
    amqp_ca=st.none() | paths,
    spool_limit=st.integers(1024**2, 1024**4),
    event_ttl=st.dictionaries(words, st.integers(1, 86_400_000), max_size=5),
    command_ttl=st.floats(0.1, 86_400),
    log_format=st.sampled_from(("text", "json")),
    presence=st.none() | words,
)


class WireTests(SynchronousTestCase):
    """The configuration on its way to the children."""

    @given(configs)
    @quick
    def test_round_trip(self, config: Config) -> None:
        """A child gets what its parent has, whatever it is."""
        again = from_wire(to_wire(config))
        self.assertEqual(again, config)
        self.assertIsInstance(again.state_dir, Path)

    def test_same_bytes(self) -> None:
        """Equal configurations make equal bytes, so that a change can be seen by comparing them."""
        kinds = sorted(KINDS)
        one = Config(token="t", intents=1, amqp_uri="amqp://", cache_entities=frozenset(kinds))
        other = Config(token="t", intents=1, amqp_uri="amqp://", cache_entities=frozenset(reversed(kinds)))
        self.assertEqual(to_wire(one), to_wire(other))

    def test_fits_into_one_amp_value(self) -> None:
        """The largest configuration that can be loaded stays below AMP's limit of 65,535 bytes for a value."""
        long = '"' * LONGEST_TEXT
        config = Config(
            token="t" * 512,
            intents=1,
            amqp_uri=long,
            api_url=long,
            presence='"' * MAX_BYTES,
            state_dir=Path(long),
            amqp_ca=Path(long),
            cache_entities=KINDS,
            event_ttl={f"{number:05}{'X' * 95}": 86_400_000 for number in range(MOST_NAMES)},
        )
        self.assertLess(len(to_wire(config)), 65_535)

    def test_nonsense(self) -> None:
        """Anything else is refused, not half believed."""
        for data in b"", b"{}", b'{"token": 1}', to_wire(Config(token="t", intents=1, amqp_uri="amqp://"))[:-2]:
            self.assertRaises(msgspec.DecodeError, from_wire, data)
