"""What carries voice and documents between gateways."""
