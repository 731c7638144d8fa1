"""What the tests of several packages share.

``broker``        a real RabbitMQ: one for the whole run, or one of a test's own that may be killed
``certificates``  an authority of our own, and what it signs
``management``    RabbitMQ's management API
``processes``     what the kernel tells of processes, and how long they took by themselves
``waiting``       waiting for a condition instead of for seconds
"""
