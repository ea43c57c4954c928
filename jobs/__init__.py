"""Jobs that a person names and runs, each with its schedule beside it."""
