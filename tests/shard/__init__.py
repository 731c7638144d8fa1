"""The shard's shell: frames, protocol, service."""
