"""The pure cores of a shard's conversation, without a reactor."""
