"""The only code that can key a transmitter: a small process of its own, and the client to it."""
