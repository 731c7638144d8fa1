"""txAMQP's channels, mended: calls end in time and in rateway's errors, and the broker's methods are heard."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import TimeoutError
from txamqp.client import ChannelClosed, Closed, ConnectionClosed, TwistedDelegate
from txamqp.connection import Frame
from txamqp.protocol import AMQChannel

import rateway
from rateway.errors import RemoteProtocolError, Unavailable

if TYPE_CHECKING:
    from .client import Client

CALL_TIMEOUT = 30.0
"""Seconds the broker may take to answer a method; a node that hangs is as good as one that is away."""


class Refused(Unavailable):
    """The broker closed a channel or the connection and said why.

    :ivar code: AMQP's reply code.
    :ivar connection: the whole connection, not one channel.
    """

    def __init__(self, code: int, text: str, *, connection: bool) -> None:
        super().__init__(f"the broker closed the {'connection' if connection else 'channel'} ({code} {text})")
        self.code = code
        self.text = text
        self.connection = connection


def refusal(message: Any) -> Refused:
    """The reason in a channel.close or connection.close."""
    return Refused(message.reply_code, message.reply_text, connection=message.method.klass.name == "connection")


@frozen
class Outgoing:
    """Stands where txAMQP has a queue and a writer that ends for ever when a frame can't be encoded."""

    _send: Callable[[Frame], None]

    def put(self, item: Frame) -> None:
        self._send(item)


class Channel(AMQChannel):
    """A channel whose calls end in time, in rateway's own errors."""

    closed: bool
    calls = 0

    def do_close(self, reason: Any) -> None:
        """Closed by the broker, or with the connection."""
        if self.closed:
            return
        # Whoever waits for an answer hears of it as soon as the queues are closed, and may go on at once.
        expected = self._closing or self.calls
        self.closed = True
        self.reason = reason
        self.incoming.close()
        self.responses.close()
        if not expected:
            self.client.channel_failed(self, reason)

    async def call(self, method: str, **arguments: object) -> Any:
        """Invoke a method, and wait for the broker's answer.

        :raises Refused: if the broker closes the channel or the connection instead.
        :raises Unavailable: if the connection is lost, or no answer comes.
        """
        self.calls += 1
        try:
            return await getattr(self, method)(**arguments).addTimeout(CALL_TIMEOUT, self.client.clock)
        except TimeoutError:
            raise Unavailable(f"the broker does not answer {method.replace('_', '.', 1)}") from None
        except (ChannelClosed, ConnectionClosed) as error:
            raise refusal(error.args[0]) from None
        except Closed:
            raise self.client.reason or Unavailable("the connection to the broker is closed") from None
        except ValueError as error:
            raise RemoteProtocolError(
                f"the broker answers {method.replace('_', '.', 1)} with something else"
            ) from error
        finally:
            self.calls -= 1


class Delegate(TwistedDelegate):
    """What the broker's methods do."""

    client: Client

    def connection_start(self, channel: Any, message: Any) -> None:
        """Say who we are: PLAIN is what RabbitMQ and all that is like it take."""
        if b"PLAIN" not in message.mechanisms.split():
            raise RemoteProtocolError("the broker lets nobody in by user and password (SASL PLAIN)")
        address = self.client.address
        self.client.phase = "login"
        channel.connection_start_ok(
            client_properties={
                "product": "rateway",
                "version": rateway.__version__,
                "platform": "Python, Twisted",
                "connection_name": self.client.name,
                "capabilities": {
                    "authentication_failure_close": True,
                    "basic.nack": True,
                    "connection.blocked": True,
                    "consumer_cancel_notify": True,
                    "publisher_confirms": True,
                },
            },
            mechanism="PLAIN",
            response=b"\0%b\0%b" % (address.user.encode(), address.password.encode()),
            locale="en_US",
        )

    def connection_tune(self, channel: Any, message: Any) -> None:
        self.client.tuned(channel, message.channel_max, message.frame_max, message.heartbeat)

    def connection_close(self, channel: Any, message: Any) -> None:
        self.client.closed_by_broker(refusal(message))
        channel.connection_close_ok()
        self.client.do_close(message)

    def connection_blocked(self, channel: Any, message: Any) -> None:
        self.client.on_blocked(message.reason)

    def connection_unblocked(self, channel: Any, message: Any) -> None:
        self.client.on_blocked(None)

    def channel_close(self, channel: Any, message: Any) -> None:
        channel.channel_close_ok()
        self.client.channels.pop(channel.id, None)
        channel.do_close(message)

    def basic_cancel(self, channel: Any, message: Any) -> None:
        self.client.on_cancelled(message.consumer_tag)

    def close(self, reason: object) -> None:
        """txAMQP closed all channels."""
        self.client.closed = True
        self.client.started.fail_if_not_fired(Closed(reason))
        self.client.drop()
