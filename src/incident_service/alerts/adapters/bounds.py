"""How many characters of a text are kept, and what is a number no longer. Pure."""

LONGEST_ANNOTATION = 32 * 1024
LONGEST_URL = 4 * 1024
MOST_TRUNCATED = 2**63 - 1
