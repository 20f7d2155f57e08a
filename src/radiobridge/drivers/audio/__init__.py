"""Where a radio's sound comes from and goes to."""
