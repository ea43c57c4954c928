"""Portfolio forecasts: models, quantile calibration, VaR and CVaR, evaluation."""
