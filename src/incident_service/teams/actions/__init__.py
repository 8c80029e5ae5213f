"""Change teams, users, how to reach them, and who may call the API."""
