"""What other systems raise: taken in, acted on, and kept."""
