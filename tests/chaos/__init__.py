"""rateway whole, under faults drawn at random: nothing is lost, no session is begun anew, all comes in order.

The real program in its process tree, a simulated Discord in this process, and a RabbitMQ node that may be killed.

``node``      the RabbitMQ node: killed, hanging, or taking no events for a while
``disk``      a small disk for the spools, that can be filled
``fleet``     rateway as a service manager keeps it, with its exit codes, stop times and memory
``traffic``   numbered events of realistic sizes
``mailbox``   the worker's durable queues, read at each check
``ledger``    what was sent against what arrived
``cachecheck`` what the cache answers against what the simulated Discord has
``verdict``   what must hold once the faults are over
``world``     all of these together
``faults``    the faults, and how they are drawn
``run``       one seed: faults, checks, and a report that says how to see the same again
``figures``   what is counted
``outage``    one long absence of the broker under heavy load

``python -m tests.chaos --help`` runs any number of faults, or an outage of any length, as one command.
"""
