"""The catalogue of the feature store as an asset; the store itself is in ``dbt.py``."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from quant_assets.features.catalog import feature_catalog
from quant_assets.features.consumers import FeatureConsumer, reuse_share
from quant_assets.features.dbt_project import load_project
from quant_assets.features.tables import FEATURE_CATALOG, feature_store
from quant_assets.features.versions import stored_versions
from resources.warehouse import Warehouse
from resources.warehouse.asset_specs import asset_key, table_metadata, table_spec

__all__ = ["feature_catalog_asset"]


def feature_catalog_asset(consumers: Sequence[FeatureConsumer]) -> dg.AssetsDefinition:
    """Build the asset; ``consumers`` are what the rooms above declare."""
    spec = table_spec(FEATURE_CATALOG, deps=[asset_key(feature_store(version)) for version in stored_versions()])

    @dg.multi_asset(specs=[spec], name="feature_catalog")
    def catalog(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
        """Describe every feature, how it is computed and who uses it."""
        frame = feature_catalog(
            load_project().manifest,
            stored_versions(),
            consumers,
            known=warehouse.read(FEATURE_CATALOG),
            now=dt.datetime.now(dt.UTC),
        )
        warehouse.replace(FEATURE_CATALOG, frame)
        shares = {"reuse_share": reuse_share(frame), "reuse_share_by_list": reuse_share(frame, is_by_list=True)}
        told = {name: "none used" if share is None else round(share, 3) for name, share in shares.items()}
        return dg.MaterializeResult(
            metadata=table_metadata(warehouse, FEATURE_CATALOG, consumers=len(consumers), **told)
        )

    return catalog
