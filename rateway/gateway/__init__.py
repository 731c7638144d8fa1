"""One shard's conversation with Discord, pure: no reactor, clock, logger or randomness of its own.

Time enters as ``now``, in monotonic seconds, chance as a number from 0 to 1; what comes out is data that the shell
(``rateway.shard``, ``rateway.process``) acts upon.

What is heard:

``inflate``     WebSocket messages into payloads: zlib-stream, zstd-stream, or none
``envelope``    a payload into op, sequence, name and the bytes of ``d``

What is said:

``payloads``    the gateway's URL, HEARTBEAT, IDENTIFY, RESUME; what HELLO and READY tell
``commands``    what bots send through us: queued in front of the budget, presence updates coalesced
``command_check``  which of it Discord would understand
``budget``      120 payloads in any 60 s, with room kept for heartbeats
``wholelists``  all members of a guild, once in 30 s
``repeats``     those that Discord refused, once more
``spare``       the room that bots' commands leave for what rateway itself asks

Member lists that rateway itself asks for (CHUNK_GUILDS):

``memberlists``  of which guilds, and when; ``memberline`` the turns of one shard's guilds
``membernews``  what events tell of them
``progress``    what the log tells of them

When:

``heartbeat``   when to beat, and when silence means that the connection is dead
``backoff``     how long to wait before connecting again
``identify``    who of the whole fleet may IDENTIFY, and when
``breaker``     how long a shard waits that identifies again and again

And the whole, one shard from connect to connect:

``lifecycle``   the machine: inputs in, actions out
``transitions``  its table
``conduct``     what is done on the way from one state to the next
``session``     what a shard remembers of its session, and where it resumes
``actions``     the actions
"""
