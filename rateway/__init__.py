"""rateway holds a Discord bot's gateway connections, so that the bot itself doesn't have to.

Read the packages in the order of their layers; imports go one way only, from the top of this list to its bottom:

``tap``        what ``twistd rateway`` builds: the parent's only composition root
``process``    the parent, its children, and what they say to each other over AMP
``cluster``    the unit of everything: shards, publisher, inbox and store of one worker on the bot's side
``shard``      one WebSocket to Discord: Autobahn below, the pure conversation of ``gateway`` above
``amqp``       the broker: URI, codec, connection, fast publisher, inbox
``http``       Discord's REST API behind a pure rate-limit core
``store``      the persistent cache: pure updates per event, LMDB below
``gateway``    PURE: one shard's conversation with Discord, as a core without reactor, clock or socket
``config``     the frozen configuration, from environment and TOML
``model``      PURE: the words of the field (opcodes, close codes, intents, snowflakes, the shard plan)
"""

__version__ = "1.0.0.dev0"
