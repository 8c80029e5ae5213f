"""Who was told, how, and with what result."""
