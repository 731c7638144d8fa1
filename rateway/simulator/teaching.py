"""What ``--help`` says below the options."""

from __future__ import annotations

POINTING = """\
Pointing a bot at it:
  REST is at http://127.0.0.1:8800/api/v10, and GET /gateway/bot names the
  gateway: only the base URL of REST has to be set, and the token.
    rateway      DISCORD_API_URL=http://127.0.0.1:8800/api/v10
                 DISCORD_TOKEN=simulator-token
    discord.py   discord.http.Route.BASE = "http://127.0.0.1:8800/api/v10"
    discord.js   new Client({rest: {api: "http://127.0.0.1:8800/api"}, …})
    hikari       GatewayBot(…, rest_url="http://127.0.0.1:8800/api/v10")
    twilight     Client::builder().proxy("127.0.0.1:8800".into(), true)
  Guilds, members and messages are made up from --seed, the same each time.

Rules:
  Discord's rules are enforced as Discord does it, and each breach is a line
  in the log: one IDENTIFY per key and window, the daily allowance, 120
  payloads per 60 s, 4096 bytes per payload, late heartbeats, wrong
  sequences, and more (docs/simulator.md has the table). Sessions are resumed
  at another address of this machine, 127.0.0.2. Ctrl-C ends it with a
  summary, and the list of the rules that were broken.
"""

CONTROL = """\
While it runs:
  GET /control on the same port says all that can be ordered and asked:
    curl 127.0.0.1:8800/control
    curl 127.0.0.1:8800/control/breaches
    curl -X POST 127.0.0.1:8800/control/actions \\
        -d '{"do": "drop", "shard": 0, "how": "rst"}'
"""

EXAMPLES = """\
Examples:
  twistd -n rateway-simulator
      one shard, four guilds, silence
  twistd -n rateway-simulator --shards 4 --guilds 40 --rate 20
      recommends four shards; 20 events a second: presences, messages, typing …
  twistd -n rateway-simulator --shards 32 --max-concurrency 16 --guilds 3000
      a large bot
  twistd -n rateway-simulator --session-remaining 2 --intents GUILD_MEMBERS
      two IDENTIFYs left today; presences and message contents not enabled
  twistd -n --pidfile= rateway-simulator --port 0 --strict
      for a script: any free port, and exit code 1 when a rule was broken
  twistd -n --pidfile= rateway-simulator --scenario bad_day
      what a bot must bear: each step and expectation a line, the verdict last
"""
