"""Reference backends of the persona migration: a text model alone, or culture data first; one process per side."""
