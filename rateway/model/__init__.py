"""The words everything else speaks: pure tables and values, without I/O, clock or reactor.

``opcodes``     what a gateway payload is
``closecodes``  what Discord means by closing a connection, and what we do about it
``intents``     which events a bot asks for
``snowflake``   Discord's ids
``session``     the record that lets a connection go on where another ended
``dispatch``    one event, as it travels from shard to broker
``kinds``       what the cache may keep
``plan``        shards into clusters, clusters into processes
"""
