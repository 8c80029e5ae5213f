"""Show what the service does, at a real one, with a worker that is really killed."""
