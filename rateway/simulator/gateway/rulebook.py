"""Every rule of Discord's that the simulator enforces: what a client must do, and what follows when it doesn't.

Each has a row here, one in docs/simulator.md, and a test that breaks it.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Rule:
    """One rule.

    :ivar demand: what a client must do, or must not.
    :ivar answer: what Discord does when it is broken; "no answer": the breach is on record, and nothing else happens.
    """

    demand: str
    answer: str


RULES: dict[str, Rule] = {
    # --- connecting
    "api-version": Rule("speak version 10, on the gateway and over REST", "close 4012; over REST 400"),
    "query": Rule("ask for an encoding and a compression that are offered", "close 4012"),
    # --- each payload
    "payload-size": Rule("send at most 4096 bytes in a payload", "close 4002"),
    "undecodable": Rule("send JSON objects with an op", "close 4002"),
    "unknown-op": Rule("send only the ops that bots have", "close 4001"),
    "send-limit": Rule("send at most 120 payloads in 60 s, heartbeats included", "close 4008"),
    "not-authenticated": Rule("send nothing but heartbeats before IDENTIFY or RESUME", "close 4003"),
    "already-authenticated": Rule("IDENTIFY or RESUME once on a connection", "close 4005"),
    # --- heartbeats
    "late-heartbeat": Rule("heartbeat every interval", "close 4000; the session can be resumed"),
    "heartbeat-sequence": Rule("send the last sequence with it, or null", "no answer"),
    # --- IDENTIFY
    "wrong-token": Rule("use the bot's token", "close 4004"),
    "identify-shape": Rule("give each field its type", "close 4001"),
    "invalid-shard": Rule("give a shard within its total, a total that the bot may have", "close 4010"),
    "sharding-required": Rule("have at most 2500 guilds on a shard", "close 4011"),
    "invalid-intents": Rule("use intents that exist", "close 4013"),
    "disallowed-intents": Rule("use privileged intents only once they are enabled", "close 4014"),
    "identify-concurrency": Rule("IDENTIFY once per shard % max_concurrency and 5 s", "op 9 false; it costs a start"),
    "daily-allowance": Rule("IDENTIFY no more often than a day allows", "every session ends with 4004, the token dies"),
    # --- RESUME
    "resume-shape": Rule("give session_id and seq their types", "close 4001"),
    "resume-sequence": Rule("resume at a sequence that was sent", "close 4007; the session is over"),
    "resume-host": Rule(
        "resume at the address of READY, while that can be reached", "the replay; op 7 later, if chosen"
    ),
    "resume-query": Rule("resume with the encoding and compression of the session", "the replay"),
    "wasted-session": Rule("resume a session that can be, instead of identifying anew", "READY; it costs a start"),
    # --- commands
    "command-shape": Rule("give each field of ops 3, 4, 8, 31 and 43 its type; at most 100 user_ids", "close 4001"),
    "presence-limit": Rule("change the presence at most 5 times in 20 s", "no answer, no effect"),
    "foreign-guild": Rule("send a guild's commands on the shard that owns it", "no answer, no effect"),
    "members-intent": Rule("ask for a whole member list only with GUILD_MEMBERS", "no answer"),
    "member-list-limit": Rule("ask for a guild's whole member list once in 30 s", "RATE_LIMITED"),
    "nonce-size": Rule("use a nonce of at most 32 bytes", "chunks without nonce"),
    # --- REST
    "user-agent": Rule("send a User-Agent that begins with DiscordBot (", "403, code 40333"),
    "rest-token": Rule("send the bot's token", "401"),
    "rest-bucket": Rule("count the bucket's requests", "429, scope user"),
    "rest-global-limit": Rule("make at most 50 requests a second", "429, scope global"),
    "rest-invalid-requests": Rule(
        "stay below 10,000 answers of 401, 403 and 429 in 10 minutes", "429 of the edge: a ban"
    ),
    "rest-dead-webhook": Rule("leave a webhook alone that answered 404", "404"),
}
"""The rules by name."""
