"""A Discord that runs on your machine: strict like the real one, and faulty on demand.

REST and gateway share one port; tests start it in their own process, people by ``twistd -n rateway-simulator``.
It enforces Discord's rules the way Discord does and records each breach, so that a test can end with "no rule broken".

From the outside in:

``tap``         the twistd command: its options, and the service
``simulator``   the face: start, stop, addresses, logs (its docstring lists the whole in-process API)
``control``     what may be done to a running simulator: ``controls`` in its process, ``actions`` the same as values,
                ``api`` the same by HTTP
``scenario``    plays what Discord does from a file, and judges the client; ``scenarios`` are those that come along
``websocket``   Autobahn below, ``connection`` above
``rest``        Discord's REST API; ``buckets`` counts its rate limits
``connection``  one gateway connection; ``handshake`` its IDENTIFY and RESUME, ``commands`` its ops 3, 4, 8, 31, 43
                (``memberlist`` op 8's chunks, ``botstate`` the bot's presence and voice)
``hub``         what all connections share: token, limits, sessions, journal, world
``load``        sends packed events to all sessions at a rate for benchmarks; ``openfiles`` lets it hold that many
``world``       guilds, members and users from a seed, what happens there (``traffic``), and what is done (``deeds``)
``sessions``    what survives a connection: sequence and replay buffer
``rules``       PURE: identify concurrency, daily allowance, send limits, what an IDENTIFY may ask
``filters``     PURE: which events the intents let through; ``content`` what MESSAGE_CONTENT unlocks
``outflow``     how messages become frames and segments, slowly or in pieces; ``holdback`` events that wait
``encoding``    PURE: zlib-stream, zstd-stream, plain; split and corrupt on demand
``packing``     PURE: events compressed once for any number of connections
``behaviour``   PURE: how a connection is told to misbehave
``records``     what happened, for assertions; ``options`` what may be chosen
"""
