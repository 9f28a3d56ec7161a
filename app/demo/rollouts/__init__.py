"""Guarded rollouts: one of the main job's route, and four on a fleet whose backends are as bad as told."""
