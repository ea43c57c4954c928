"""Measurements against the alternatives, in ratios of one run. ``make bench`` runs them; no test is timed."""
