"""Discord's REST, asked politely.

``routes``      PURE: a request's route, and the resource its limit is counted for
``answers``     PURE: what an answer says about limits, and which kind of 429 it is
``buckets``     PURE: one bucket: how many requests are left, until when
``limits``      PURE: all of them, the global limit, blocks, bans, and the count of invalid requests
``client``      treq behind all this: the one way from rateway to Discord's REST
``gatewaybot``  PURE: the answer to GET /gateway/bot
``transport``   kept connections, verified TLS, bounded bodies
``trouble``     what a person is told when a request fails
"""
