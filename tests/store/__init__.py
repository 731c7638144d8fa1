"""Tests of the store: the rules of each event, the disk beneath, and the answers."""
