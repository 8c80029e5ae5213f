"""The whole configuration as one file: read, compared with what is there, applied, exported."""
