"""How the service shows that it pages: what is late, a canary, a call to a dead-man's switch."""
