"""A local server that speaks the wire formats of Qloo and Gemini over a small data set, for whoever has no keys."""
