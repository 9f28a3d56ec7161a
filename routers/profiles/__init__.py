"""Profiles: what an answer of a kind tells of itself, and what may be added to it."""
