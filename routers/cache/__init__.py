"""Answers that may be given again: to whom, for how long, and under which key. Pure."""
