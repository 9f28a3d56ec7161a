"""What came of decisions: taken in, attributed, kept in batches, given out again."""
