"""Tests of the words and tables."""
