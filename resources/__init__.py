"""Adapters to the outside world; no rule of the domain lives here."""
