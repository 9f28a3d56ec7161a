"""Other systems' exports told as flags and segments of ours: pure, and what cannot be said exactly is refused."""
