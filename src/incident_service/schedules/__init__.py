"""Schedules: whose turn it is, layer over layer, and who stands in."""
