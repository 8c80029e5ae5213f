"""One small world, told in examples: what its callers send, and what they are answered."""
