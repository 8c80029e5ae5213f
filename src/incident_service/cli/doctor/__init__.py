"""Look for what is wrong or risky in an installation, and say what to do about it."""
