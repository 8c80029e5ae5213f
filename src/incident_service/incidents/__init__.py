"""The record: incidents, their lifecycle and their timeline."""
