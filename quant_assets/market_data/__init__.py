"""Prices: fetch plan, merge, corporate actions, adjustment, revisions, quota."""
