"""Changes of incidents as they happen, over one long answer: server-sent events."""
