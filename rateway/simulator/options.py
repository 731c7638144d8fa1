"""What may be chosen about a simulated Discord."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from rateway.model.intents import ALL

from .world.sizes import Sizes

DAY = 86_400.0


@frozen(kw_only=True)
class SimulatorOptions:
    """How the simulated Discord is; times are in seconds.

    :ivar shards: what GET /gateway/bot recommends.
    :ivar session_total: IDENTIFYs allowed in a window of ``session_window``.
    :ivar session_remaining: how many of them are left at the start.
    :ivar reset_after: until the window open at the start ends; 0 means none is open (with fewer than
        ``session_total`` left: a whole ``session_window``).
    :ivar shards_multiple: the number a large bot's total must be a multiple of (else close 4010).
    :ivar members: members of a guild, on average (the bot not counted).
    :ivar sizes: how members spread over guilds: ``even`` (half to one and a half times the average), ``equal``, or
        ``heavy``: most guilds are small, a few are huge, as at Discord.
    :ivar largest: no guild begins with more members.
    :ivar rate: events a second of the world's time, over the whole world.
    :ivar mix: what these events are: a preset (``realistic``, ``messages``, ``everything``), text such as
        ``"message=5,presence=30"``, or a mapping of families to weights.
    :ivar speed: how many seconds of the world pass in one second: its timestamps, its traffic, and the age of
        sessions. What a client measures stays in its own seconds: heartbeats, windows of limits, delays.
    :ivar load: packed events a second, over all sessions (see ``load``).
    :ivar load_sessions: how many sessions must have got all their guilds before the load begins.
    :ivar load_tick: between two handfuls of the load.
    :ivar allowed_intents: privileged intents not among them are answered by close 4014.
    :ivar identify_window: how long one IDENTIFY keeps its key (5 s at Discord).
    :ivar send_limit: payloads a client may send in ``send_window`` seconds.
    :ivar chunk_window: how long one whole member list keeps its guild (RATE_LIMITED before that).
    :ivar heartbeat_slack: how late a heartbeat may be, as a share of the interval (at least one second).
    :ivar replay_limit: events a session keeps for a RESUME.
    :ivar replay_bytes: bytes of them at most; what packed events share is not counted, and the last event is kept
        however large it is.
    :ivar replay_age: how old these may be, and how long a session outlives its connection.
    :ivar reconnect_after: who resumes at the main address, though READY named another, gets op 7 after this; 0: never.
    :ivar trailing_slash: whether the gateway's addresses end with a slash.
    :ivar host: the name in the addresses handed out; empty: the address listened on.
    :ivar resume_host: where sessions are resumed: another address of this machine, listened on too, or a name;
        empty: the same host.
    :ivar global_limit: REST requests a second, over all routes; 0 allows any number.
    :ivar invalid_limit: answers with 401, 403 or 429 within ``invalid_window`` that get an address banned from REST
        for ``ban_time``; 0 bans nobody.
    :ivar record_events: keep every event sent, for assertions (``Simulator.events``).
    :ivar journal_limit: how many records of each kind are kept; 0 keeps all.
    """

    shards: int = 1
    max_concurrency: int = 1
    session_total: int = 1000
    session_remaining: int = 1000
    session_window: float = DAY
    reset_after: float = 0.0
    shards_multiple: int = 1
    guilds: int = 4
    members: int = 20
    sizes: Sizes = "even"
    largest: int = 500_000
    seed: int = 1
    rate: float = 0.0
    load: float = 0.0
    load_sessions: int = 1
    load_tick: float = 0.02
    mix: str | Mapping[str, float] = "realistic"
    speed: float = 1.0
    token: str = field(default="simulator-token", repr=False)
    allowed_intents: int = int(ALL)
    heartbeat_interval: float = 41.25
    heartbeat_slack: float = 0.5
    identify_window: float = 5.0
    send_limit: int = 120
    send_window: float = 60.0
    chunk_window: float = 30.0
    replay_limit: int = 10_000
    replay_bytes: int = 64 << 20
    replay_age: float = 300.0
    reconnect_after: float = 0.0
    trailing_slash: bool = False
    host: str = ""
    resume_host: str = "127.0.0.2"
    global_limit: int = 50
    invalid_limit: int = 10_000
    invalid_window: float = 600.0
    ban_time: float = 3600.0
    record_events: bool = False
    journal_limit: int = 0
