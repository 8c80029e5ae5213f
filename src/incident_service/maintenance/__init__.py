"""Maintenance windows: when nobody is to be paged for what is being worked on."""
