"""Reference backends of the recommendation migration: popularity against a trained model, the same rules after both."""
