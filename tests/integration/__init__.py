"""The whole program against the simulator and a real RabbitMQ, over real sockets."""
