"""Parent, children, and the link between them; most of it without a process."""
