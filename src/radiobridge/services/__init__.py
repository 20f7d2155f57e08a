"""One gateway at work: radio runner, voice plane, control plane. Sees Protocols, never a driver."""
