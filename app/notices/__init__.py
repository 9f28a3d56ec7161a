"""What Crossfade tells other systems by itself."""
