"""A held challenger's rows, read, judged and told: before each training, and every night for the figures."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import StorageError
from quant_assets.foundation.table_store import TableStore
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.ops.tables import RUN_STATE
from quant_assets.signals.challenger import (
    LEAST_LIVE_SESSIONS,
    LIVE,
    LiveComparison,
    Making,
    compare_live,
    judge_held,
    keeps_place,
    making_of,
)
from quant_assets.signals.evaluation import figure_frame
from quant_assets.signals.feature_list import FEATURE_VERSION, FEATURES
from quant_assets.signals.labels import forward_labels
from quant_assets.signals.ledger import CHALLENGER, CHAMPION
from quant_assets.signals.model_spec import ModelSpec
from quant_assets.signals.registration import ModelRegistry, follow_ledger, record_aliases
from quant_assets.signals.scored_rows import ScoredRows, stored_rows
from quant_assets.signals.signal_model import ModelCard
from quant_assets.signals.tables import MODEL_METRICS, WALK_FORWARD_PREDICTIONS

__all__ = ["Review", "champion_predictions", "compare_challengers", "review_challenger"]


@dataclass(frozen=True, slots=True)
class Review:
    """What came of judging a held challenger again.

    Parameters
    ----------
    card : ModelCard
    is_promoted : bool
    reason : str
        The verdict with its figures.
    live : LiveComparison
    """

    card: ModelCard
    is_promoted: bool
    reason: str
    live: LiveComparison

    def reason_to_stay(self, spec: ModelSpec) -> str:
        """Why a version of a specification that the calendar trained does not take its place; empty where it does."""
        making = Making.asked_for(spec, FEATURES, FEATURE_VERSION)
        if self.is_promoted or not keeps_place(self.card, self.live.sessions, making):
            return ""
        return (
            f"no alias: {self.card.model_version} has {self.live.sessions} live sessions and keeps the challenger's "
            f"place until it has {LEAST_LIVE_SESSIONS}"
        )


def review_challenger(
    store: TableStore, registry: ModelRegistry, model: str, closes: pl.DataFrame, *, actor: str
) -> Review | None:
    """Judge the held challenger of a model again, and promote it where it wins; None where none is held or readable.

    The ledger takes the outcome in one transaction, with the alias; a run that is killed afterwards leaves tables that
    the next one brings in line.

    Parameters
    ----------
    store : TableStore
    registry : ModelRegistry
    model : str
    closes : DataFrame
        symbol, date, close (adjusted) of the whole history.
    actor : str
        Job or person, for the ledger.
    """
    version = registry.ledger.holder(model, CHALLENGER)
    if version is None:
        return None
    try:
        card = registry.load(version).card
    except StorageError as error:
        registry.ledger.note(model, version, "judged", actor=actor, reason=f"not promoted: {error}")
        return None
    verdict, live = judge_held(_rows(store, registry, card, closes), card.spec, card.known_on)
    event, alias = ("promoted", CHAMPION) if verdict.wins else ("judged", None)
    registry.ledger.note(model, version, event, actor=actor, reason=verdict.reason, alias=alias)
    _keep_figures(store, card, live)
    if verdict.wins:
        record_aliases(registry, model)
        follow_ledger(store, registry)
    return Review(card, verdict.wins, verdict.reason, live)


def compare_challengers(store: TableStore, registry: ModelRegistry) -> dict[str, LiveComparison]:
    """Write each held challenger's live figures to ``signals.model_metrics``; by version.

    A challenger that cannot be read is left out; the night's scoring raises the alert about it.
    """
    found: dict[str, LiveComparison] = {}
    for holder in registry.ledger.holders():
        if holder.alias != CHALLENGER:
            continue
        version = holder.model_version
        try:
            card = registry.load(version).card
        except StorageError:
            continue
        closes = store.read(ADJUSTED_PRICES, ["symbol", "date", "close"], "date > ?", [card.known_on])
        live = compare_live(_rows(store, registry, card, closes, after=card.known_on), card.known_on)
        _keep_figures(store, card, live)
        found[version] = live
    return found


def champion_predictions(
    store: TableStore, registry: ModelRegistry, making: Making, after: dt.date = dt.date.min
) -> pl.DataFrame | None:
    """The champion's out-of-sample predictions that a version of a making can be compared by; None without a champion.

    Where the champion is of the same making, only its live ones count. Before its training both are walk-forwards of
    one recipe over the same sessions: they would be equal, but for roundings and ties that a later dividend turns in
    adjusted prices, and thousands of such sessions would drown those that tell the two apart.

    Returns
    -------
    DataFrame
        symbol, date, probability, base_rate.
    """
    version = registry.ledger.holder(making.spec.name, CHAMPION)
    if version is None:
        return None
    try:
        card = registry.load(version).card
    except StorageError:
        return _predictions(store, version, after)
    return _predictions(store, version, max(after, card.known_on) if making_of(card) == making else after)


def _keep_figures(store: TableStore, card: ModelCard, live: LiveComparison) -> None:
    """Put a version's live figures in the place of those before; the last ones stay when it is replaced."""
    figures = figure_frame(live.figures(), card.model, card.model_version)
    store.replace(MODEL_METRICS, figures, "model_version = ? AND slice = ?", [card.model_version, LIVE])


def _predictions(store: TableStore, version: str, after: dt.date) -> pl.DataFrame:
    columns = ["symbol", "date", "probability", "base_rate"]
    return store.read(WALK_FORWARD_PREDICTIONS, columns, "model_version = ? AND date > ?", [version, after])


def _rows(
    store: TableStore, registry: ModelRegistry, card: ModelCard, closes: pl.DataFrame, after: dt.date = dt.date.min
) -> ScoredRows:
    """A challenger's stored rows and the champion's on them, with what was known of their outcomes at the session."""
    as_of: dt.date = store.read(RUN_STATE, ["as_of"])["as_of"][0]
    rule = card.spec.label
    labels = forward_labels(closes.filter(pl.col("date") <= as_of), rule, new_york_calendar().sessions)
    ours = _predictions(store, card.model_version, after)
    champion = champion_predictions(store, registry, making_of(card), after)
    return stored_rows(ours, labels, rule.horizon_days, champion)
