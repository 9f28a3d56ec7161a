"""A backend that is as slow and as faulty as it is told to be: the new side of a rollout that must go wrong."""
