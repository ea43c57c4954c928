"""The one simulator, its costs and its results."""
