"""Everything that is checked; a package by name, so that no other of this name is taken for it."""
