"""Devices that speak to the real drivers over a pty, RFC 2217 or UDP."""
