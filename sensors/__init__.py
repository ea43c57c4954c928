"""Sensors, one file each; every decision is a pure function of what was observed."""

from sensors.anomaly_alert_sensor import anomaly_alert_sensor
from sensors.drift_sensor import drift_sensor
from sensors.regime_change_sensor import regime_change_sensor
from sensors.run_failure_sensor import run_failure_sensor
from sensors.stale_data_sensor import stale_data_sensor
from sensors.stuck_run_sensor import stuck_run_sensor

__all__ = ["SENSORS"]

SENSORS = (
    anomaly_alert_sensor,
    drift_sensor,
    regime_change_sensor,
    run_failure_sensor,
    stale_data_sensor,
    stuck_run_sensor,
)
