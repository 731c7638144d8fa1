"""A shard's connection to Discord: the shell around the cores of ``rateway.gateway``.

``service``   the shard as a service: carries out what its life cycle decides, gives events to the sink
``link``      its connection of the moment: dials it, reads payloads from it, ends it
``protocol``  WebSocket: Autobahn, with a fast path past it for what is ordinary
``frames``    PURE: WebSocket frames, cut out of what a read brought
``speaker``   what is said on one connection: heartbeats on time, all else within Discord's budget
``outbox``    the commands of bots, each with the Deferred that answers it
``settings``  what all shards of a bot have in common; ``timer`` a timer that is set anew rather than twice
``distrust``  what is told of a gateway whose certificate is refused
``permit``    the shard's dealings with the gate that says who may identify
"""
