"""Sensors, one file each; every decision is a pure function of what was observed."""

from sensors.stuck_run_sensor import stuck_run_sensor

__all__ = ["SENSORS"]

SENSORS = (stuck_run_sensor,)
