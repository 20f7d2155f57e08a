"""`radiobridge demo`: two agencies, two gateways, two brokers, and a story told with speech."""
