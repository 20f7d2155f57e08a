"""Simulated radios, the air between them, serial devices, the demonstration and the benchmark."""
