"""REST: limits without a network, and the client against small servers."""
