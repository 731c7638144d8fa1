"""The few errors of rateway, by whose fault they are. ``str(error)`` is always one sentence for a person."""


class RatewayError(Exception):
    """Anything rateway raises on purpose."""


class ConfigError(RatewayError):
    """The operator's: a setting is missing or can't be used. The text names the variable and the remedy."""


class FatalError(RatewayError):
    """Discord or the broker refuses us for good: no retry mends it, a person must. The text says what to do."""


class Unavailable(RatewayError):
    """Discord or the broker can't be reached, or can't serve us now: wait and try again."""


class RemoteProtocolError(RatewayError):
    """The peer broke its own protocol: the connection is dropped, and opened anew."""


class LocalProtocolError(RatewayError):
    """We were about to break the protocol: a bug of ours, caught before it left the machine."""


class RequestRefused(RatewayError):
    """A bot's command or query can't be served as it stands. The text is the answer the bot gets."""
