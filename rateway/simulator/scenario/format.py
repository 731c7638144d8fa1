"""What a scenario file may hold.

A scenario is told in TOML::

    title = "Op 7 while active"
    about = "The client must close resumably, and resume: no event is lost, none comes twice."

    [simulator]                     # fields of SimulatorOptions
    heartbeat_interval = 2.0

    [[step]]                        # what Discord does
    on = { active = 0 }
    do = "request_reconnect"
    shard = 0
    mark = "asked"

    [[expect]]                      # what the client must do
    that = "the session is resumed behind the last event sent"
    see = "resumes"
    where = { answer = "resumed", behind = 0 }
    since = "asked"
    within = 10.0

Times are seconds. They count from the client's arrival: its first request or connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from attrs import field, frozen

Kind: TypeAlias = Literal[
    "requests",
    "connections",
    "ends",
    "identifies",
    "resumes",
    "heartbeats",
    "payloads",
    "closes",
    "commands",
    "breaches",
    "wasted",
]
"""What can be seen of a client; :mod:`~rateway.simulator.scenario.facts` lists the fields of each."""

Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Where: TypeAlias = Mapping[str, Any]
"""Conditions on fields, see :mod:`~rateway.simulator.scenario.conditions`."""


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of a file: a key that it doesn't know is an error."""


class On(Table, frozen=True, kw_only=True):
    """The event a step waits for: exactly one of the first group.

    Events are counted from the step before; ``from_start`` counts from the beginning.

    :ivar active: this shard (or each of these) gets its events: READY or RESUMED was sent, the guilds too.
    :ivar sent: so many events were sent, to all shards together.
    :ivar identifies: so many IDENTIFYs came; likewise for the other kinds, ``ends`` being connections that are gone.
    :ivar where: which of them count.
    """

    active: int | tuple[int, ...] | None = None
    sent: Count | None = None
    requests: Count | None = None
    connections: Count | None = None
    ends: Count | None = None
    identifies: Count | None = None
    resumes: Count | None = None
    heartbeats: Count | None = None
    payloads: Count | None = None
    closes: Count | None = None
    commands: Count | None = None
    breaches: Count | None = None
    wasted: Count | None = None
    where: Where = {}
    from_start: bool = False


class Timing(Table, frozen=True, kw_only=True):
    """The keys of a ``[[step]]`` that say when; its other keys are the action's.

    Steps are done in the order they stand in. A step without ``at``, ``after`` and ``on`` is done at once; those at
    the head of the file before the client may come, so that they can prepare its first connection.

    :ivar mark: a name for the moment it is done at, for ``since``.
    :ivar at: seconds after the client's arrival; ``at = 0`` doesn't wait for it.
    :ivar on: the event to wait for.
    :ivar after: seconds to wait then, or after the step before.
    :ivar times: how often the whole step is done, waiting included.
    :ivar every: seconds between these.
    :ivar actions: several actions, each a table with ``do``; a single one may stand in the step itself.
    """

    mark: str = ""
    at: Seconds | None = None
    on: On | None = None
    after: Seconds = 0.0
    times: Annotated[int, msgspec.Meta(ge=1)] = 1
    every: Seconds = 0.0
    actions: tuple[dict[str, Any], ...] = ()


class Apart(Table, frozen=True, kw_only=True):
    """How far apart successive facts are, in seconds."""

    least: Seconds | None = None
    most: Seconds | None = None


class Expect(Table, frozen=True, kw_only=True):
    """What must be seen of the client: exactly one of ``see``, ``never``, ``always`` and ``delivered``.

    :ivar that: the expectation in words, for the report.
    :ivar see: facts of this kind that there must be; the keys from ``count`` to ``regular`` are about them.
    :ivar never: facts of this kind that there must not be, up to the end.
    :ivar always: facts of this kind, each of which must meet ``must``.
    :ivar delivered: every event sent until the last step was done has been acknowledged, by a heartbeat's ``d`` or a
        RESUME's ``seq``.
    :ivar where: which facts are meant.
    :ivar must: the conditions of ``always``.
    :ivar count: how many there must be, no more and no fewer.
    :ivar at_least: how many there must be; 1 unless said otherwise.
    :ivar at_most: how many there may be, up to the end.
    :ivar since: only what came after the step with this ``mark``; ``within`` and ``not_before`` count from it.
    :ivar within: seconds until there are enough of them.
    :ivar not_before: seconds before which there must be none.
    :ivar apart: how far apart they must be.
    :ivar per: the field by which they are told apart for ``apart``: identifies per ``key``, say.
    :ivar rising: a field that must not fall from one to the next.
    :ivar varies: a field whose values must differ, by a twentieth at least.
    :ivar regular: heartbeats: by which share of the interval the mean of the times between two may differ from it, on
        each connection; no single one may differ by more than that and the machine's slack, nor may the first one
        come later than that after HELLO.
    """

    that: str = ""
    see: Kind | None = None
    never: Kind | None = None
    always: Kind | None = None
    delivered: bool = False
    where: Where = {}
    must: Where = {}
    count: Count | None = None
    at_least: Count | None = None
    at_most: Count | None = None
    since: str = ""
    within: Seconds | None = None
    not_before: Seconds | None = None
    apart: Apart | None = None
    per: str = ""
    rising: str = ""
    varies: str = ""
    regular: Seconds | None = None

    @property
    def kind(self) -> Kind | None:
        """What it is about; None for ``delivered``."""
        return self.see or self.never or self.always

    @property
    def least(self) -> int:
        """How many facts there must be."""
        if self.count is not None:
            return self.count
        return 1 if self.at_least is None else self.at_least

    @property
    def most(self) -> int | None:
        """How many there may be."""
        return self.count if self.count is not None else self.at_most

    def words(self) -> str:
        """The expectation as a reader would say it."""
        if self.that:
            return self.that
        if self.delivered:
            return "every event sent is acknowledged"
        verb = "see" if self.see else "never" if self.never else "always"
        where = f" where {dict(self.where)}" if self.where else ""
        return f"{verb} {self.kind}{where}"


class Client(Table, frozen=True, kw_only=True):
    """What the client must be set to; it is said before the client is waited for.

    :ivar compression: transport compression it shall ask for: ``zlib-stream``, ``zstd-stream`` or ``none``.
    """

    compression: Literal["zlib-stream", "zstd-stream", "none"] | None = None


class Variant(Table, frozen=True, kw_only=True):
    """The same scenario once more, with a difference; each variant wants a client freshly started.

    Where any variant is given, there is one run for each of them, and none besides.

    :ivar title: its name in the report, and on the command line (``NAME:TITLE``).
    :ivar values: what stands for ``"$word"`` in steps, expectations and ``breaches``.
    :ivar simulator: added to the scenario's ``[simulator]``; likewise ``client``.
    :ivar step: more steps, after the common ones; likewise ``expect``.
    :ivar breaches: more rules that may be broken; likewise ``unseen``.
    :ivar timeout: in place of the scenario's; likewise ``hold``.
    """

    title: str
    values: Mapping[str, Any] = {}
    simulator: Mapping[str, Any] = {}
    client: Mapping[str, Any] = {}
    step: tuple[dict[str, Any], ...] = ()
    expect: tuple[dict[str, Any], ...] = ()
    breaches: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    timeout: Seconds | None = None
    hold: Seconds | None = None


class File(Table, frozen=True, kw_only=True):
    """A whole file.

    :ivar title: one line.
    :ivar about: what Discord does, and what the client must do.
    :ivar criterion: the number of the acceptance criterion it tests.
    :ivar breaches: the rules of Discord's that the client may break; breaking any other is a failure.
    :ivar unseen: what the client must do besides, that can't be seen from Discord's side: said at the end, for whoever
        runs it to look.
    :ivar timeout: seconds after the client's arrival by which everything must have been seen.
    :ivar hold: seconds that ``never``, ``always`` and ``at_most`` are watched on when everything else is met.
    :ivar patience: seconds to wait for a client to come at all.
    """

    title: str
    about: str
    criterion: int | None = None
    breaches: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    timeout: Seconds = 60.0
    hold: Seconds = 1.0
    patience: Seconds = 120.0
    client: Mapping[str, Any] = {}
    simulator: Mapping[str, Any] = {}
    step: tuple[dict[str, Any], ...] = ()
    expect: tuple[dict[str, Any], ...] = ()
    variant: tuple[dict[str, Any], ...] = ()


@frozen
class Step:
    """One step: when, and the actions to perform.

    :ivar words: the step as the report tells it.
    """

    timing: Timing
    actions: tuple[Any, ...]
    words: str


@frozen
class Case:
    """One run of a scenario: the scenario itself, or one of its variants.

    :ivar options: fields of SimulatorOptions.
    """

    scenario: str
    variant: str
    about: str
    options: Mapping[str, Any] = field(repr=False)
    client: Client
    steps: tuple[Step, ...] = field(repr=False)
    expects: tuple[Expect, ...] = field(repr=False)
    breaches: frozenset[str]
    unseen: tuple[str, ...]
    timeout: float
    hold: float
    patience: float

    @property
    def name(self) -> str:
        """Scenario and variant."""
        return f"{self.scenario}:{self.variant}" if self.variant else self.scenario


@frozen
class Scenario:
    """A file that has been read: one case, or one for each variant."""

    name: str
    title: str
    about: str
    criterion: int | None
    cases: tuple[Case, ...]
