"""Rollouts as running things: who steers, what is read for it, what is judged, and what comes of it."""
