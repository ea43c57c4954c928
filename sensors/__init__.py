"""Sensors, one file each; every decision is a pure function of what was observed."""
