"""Escalation policies: who is told, level by level, and how long each has."""
