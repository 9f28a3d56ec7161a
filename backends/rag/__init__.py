"""Reference backends of the retrieval migration: two embedding models over one corpus, one process per side."""
