"""Values that every layer shares: ids, voice, patches, events. Pure."""
