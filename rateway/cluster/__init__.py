"""The cluster: shards, publisher, inbox and store of one worker on the bot's side, and what flows between them.

``pipeline``    the hot path: a read's events into the store, then to the broker
``checkpoint``  how far the broker has confirmed, per session; kept in step with the store
``spools``      where events wait on disk; what clusters that are no more left there
``safekeeping`` has the disk itself hold spools and sessions, for a power cut
``requests``    a cache query from the inbox, and its answer
``bulk``        several queries in one request
``turns``       long queries beside all else
``chunking``    asking Discord for the members of guilds (CHUNK_GUILDS)
``patience``    queries that wait for them
``commands``    a gateway command from the inbox, and its answer
``elsewhere``   how shards of other clusters are reached
``threshold``   nobody identifies before the broker has exchange and queue
``phases``      a stop in phases, with one budget of time
``service``     the ``MultiService`` that holds all of it and stops it in order
"""
