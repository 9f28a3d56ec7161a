"""`python -m benchmarks.simulate`: prove by seeded simulation what rollouts promise of their errors."""
