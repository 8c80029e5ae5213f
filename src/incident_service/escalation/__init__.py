"""The climb: which level is told next, and when."""
