"""Bytes to values and back: topics, voice packets, SFrame, signed and sealed documents. Pure."""
