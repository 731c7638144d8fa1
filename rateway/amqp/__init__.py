"""The broker's side: one AMQP connection for each cluster, mended where txAMQP needs it.

Pure, without a reactor:

``uri``         AMQP_URI, taken apart
``topology``    the names and flags of what rateway declares
``fieldtable``  field tables, both ways, every field type
``codec``       method arguments and content headers
``frames``      frames, and the nearly pre-encoded ones of events
``receiver``    the broker's stream, taken apart

And the shell:

``spec``        the protocol's description, loaded once
``channel``     txAMQP's channels, whose calls end in time and in our errors
``outlet``      the way out of a connection: at once what can't wait
``client``      one connection: txAMQP's channels on a receive path and a write path of our own
``outages``     what is told of a broker that is away, for all clusters of a process at once
``connection``  connects, shakes hands, and does so again after every loss
``publisher``   events: held until the broker confirms them
``inbox``       what bots send: acknowledged whatever happens
``answers``     answers to bots, on a channel that is opened anew where the broker closes it
``broker``      the whole of it for one cluster
"""
