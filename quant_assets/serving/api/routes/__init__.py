"""The routes under ``/api/v1``, one module per noun."""

from quant_assets.serving.api.routes.backtests import router as backtests
from quant_assets.serving.api.routes.data_quality import router as data_quality
from quant_assets.serving.api.routes.features import router as features
from quant_assets.serving.api.routes.health import router as health
from quant_assets.serving.api.routes.market_data import router as market_data
from quant_assets.serving.api.routes.models import router as models
from quant_assets.serving.api.routes.portfolio import router as portfolio
from quant_assets.serving.api.routes.signals import router as signals

__all__ = ["ROUTERS"]

ROUTERS = (health, signals, market_data, features, portfolio, models, data_quality, backtests)
