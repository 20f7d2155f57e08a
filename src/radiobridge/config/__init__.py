"""YAML to checked settings, each error with its file and line."""
