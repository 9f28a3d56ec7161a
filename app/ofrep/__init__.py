"""What stands behind OFREP's endpoints: answers written once, and who listens for changes."""
