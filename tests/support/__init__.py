"""What the tests of several packages share.

``broker``        a real RabbitMQ: one for the whole run, or one of a test's own that may be killed
``certificates``  an authority of our own, and what it signs
``management``    RabbitMQ's management API
``waiting``       waiting for a condition instead of for seconds
"""
