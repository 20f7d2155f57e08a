"""The HTTP API, on a UNIX socket."""
