"""Rule strategies with typed parameters: features in, target positions out."""
