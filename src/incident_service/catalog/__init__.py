"""Services, the integrations that feed them, and the rules that route between them."""
