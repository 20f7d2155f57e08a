"""Gateways over a bad network in virtual time: whoever the floor is for is heard, and nobody else.

`history` says what happens, `world` lets it happen to the real services, `knowledge` says what each
gateway could know, and `judge` what must follow from that.
"""
