"""One backtest as a self-contained HTML page."""

from quant_assets.backtests.report.page import report_html

__all__ = ["report_html"]
