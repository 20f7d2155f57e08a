"""Decisions: squelch, transmit, floor, jitter, routing, patches. Pure; time is an argument."""
