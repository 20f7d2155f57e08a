"""`radiobridge demo --realistic`: a repeater here, a trunked radio there, and faults."""
