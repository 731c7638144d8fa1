"""The cluster's parts: pipeline, checkpoint, requests and commands, without a socket."""
