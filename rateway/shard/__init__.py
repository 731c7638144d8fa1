"""A shard's connection to Discord: the shell around the cores of ``rateway.gateway``.

``frames``    WebSocket frames, cut out of what a read brought
``protocol``  one connection: Autobahn, with a fast path past it for what is ordinary
``speaker``   what is said on one connection: heartbeats on time, all else within Discord's budget
``service``   the shard as a service: carries out what its life cycle decides, gives events to the sink
"""
