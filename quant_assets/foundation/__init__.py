"""What every room stands on: errors, table declarations, the trading calendar."""
