"""The world a bot lives in, and what happens in it."""
