"""Alpha Vantage: reply classification, parsing, limits and the client behind the price-source port."""
