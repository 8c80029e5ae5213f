"""How many characters of a text are kept. Pure."""

LONGEST_NAME = 256
LONGEST_LABEL = 4 * 1024
LONGEST_ANNOTATION = 32 * 1024
LONGEST_URL = 4 * 1024
