"""Back the database up to a file, and restore it from one."""
