"""How fast webhooks are taken, next to what else could take them, in the same run."""
