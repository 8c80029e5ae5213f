"""Change services, integrations, and where alerts go."""
