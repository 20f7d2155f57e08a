"""What touches devices, networks and disks. Registered by entry point."""
