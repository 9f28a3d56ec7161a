"""Which flags are still asked, and which have done their work."""
