"""Shadow calls: ask the other side after the caller has his answer, compare, and keep what it came to."""
