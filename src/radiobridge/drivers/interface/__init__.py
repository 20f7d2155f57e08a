"""What keys a radio and senses its receiver."""
