"""The REST API and its rate limits."""
