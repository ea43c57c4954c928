"""Asset checks of the sentinel."""

from __future__ import annotations

import dagster as dg

from quant_assets.quality.tables import QUARANTINED_PRICES
from resources.warehouse import Warehouse, asset_key

__all__ = ["prices_are_sane"]

_SHOWN = 20


@dg.asset_check(
    asset=asset_key(QUARANTINED_PRICES),
    description="No bar is withheld. A withheld bar warns; it never stops the night.",
)
def prices_are_sane(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """List the bars that are withheld now."""
    withheld = warehouse.read(QUARANTINED_PRICES, ["symbol", "date", "reason"], "released_at IS NULL")
    rows = [
        dg.TableRecord({name: str(value) for name, value in row.items()}) for row in withheld.head(_SHOWN).to_dicts()
    ]
    return dg.AssetCheckResult(
        passed=withheld.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{withheld.height} bars are withheld",
        metadata={"withheld": dg.MetadataValue.table(rows)} if rows else {},
    )
