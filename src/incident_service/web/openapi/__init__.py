"""The document that clients are generated from: what FastAPI writes, made exact."""
