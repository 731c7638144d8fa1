"""The gateway: connections, sessions, and Discord's rules for them."""
