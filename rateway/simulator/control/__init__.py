"""What may be done to a running simulator."""
