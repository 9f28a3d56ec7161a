"""Rollouts as running things: what is read, judged and moved."""
