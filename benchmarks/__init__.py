"""What the hot paths cost, next to a floor and to named peers, measured side by side in one run."""
