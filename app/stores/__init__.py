"""Where documents are kept: one contract (`records`), one module for each kind of store."""
