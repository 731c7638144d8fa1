"""The broker's side: pure parts by examples and invariants, the shell against a scripted broker and a real one."""
