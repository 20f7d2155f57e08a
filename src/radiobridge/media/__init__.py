"""Samples: level, VOX, tones, gain, limiter, Opus. Pure."""
