"""The HTTP interface, one module for each resource; the hot ones are plain ASGI."""
