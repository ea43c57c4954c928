"""Signal models: labels, walk-forward training, calibration, registry, scoring, drift."""
