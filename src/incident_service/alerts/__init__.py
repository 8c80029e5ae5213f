"""Ingest: what senders say, folded into incidents."""
