"""Requests under an `Idempotency-Key`: the answer is kept with the effect, and given again."""
