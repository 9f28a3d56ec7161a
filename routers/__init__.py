"""Carry: where does the call go, and what if that fails? Pure, but for what waits: `dispatch` and `streams`."""
