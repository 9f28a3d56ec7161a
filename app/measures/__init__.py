"""What was counted, by minute: of each route and side, within a rollout and without."""
