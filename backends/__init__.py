"""Reference backends: the migrations a service like this carries, legacy and new, as processes of their own."""
