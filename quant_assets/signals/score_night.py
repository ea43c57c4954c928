"""A night of scoring: champion or heuristic for every symbol, the challenger beside, matured labels filled in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import polars as pl

from quant_assets.features.consumers import FeatureConsumer, read_features
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import QuantError
from quant_assets.foundation.table_store import TableStore
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.ops.tables import RUN_STATE
from quant_assets.signals.alerts import raise_alert
from quant_assets.signals.feature_list import CONSUMERS, FEATURES, HEURISTIC_CONSUMER
from quant_assets.signals.heuristic import HEURISTIC_SESSIONS
from quant_assets.signals.labels import forward_labels
from quant_assets.signals.ledger import CHALLENGER, CHAMPION
from quant_assets.signals.model_features import model_features
from quant_assets.signals.model_spec import DEFAULT_MODELS, LabelRule
from quant_assets.signals.prediction_history import extend_predictions
from quant_assets.signals.registration import ModelRegistry
from quant_assets.signals.scoring import (
    HEURISTIC,
    RULE_FEATURES,
    HeuristicFit,
    SignalRows,
    fit_heuristic,
    heuristic_rows,
    model_rows,
)
from quant_assets.signals.signal_model import SignalModel
from quant_assets.signals.tables import CHALLENGER_SCORES, CONTRIBUTIONS, MODELS, SIGNALS
from quant_assets.signals.training_table import training_table

__all__ = ["CONTRIBUTION_SESSIONS", "NightScores", "score_night", "scored_models"]

CONTRIBUTION_SESSIONS = 252


@dataclass(frozen=True, slots=True)
class NightScores:
    """What a night scored for one model; ``note`` is empty where the champion scored every symbol."""

    model: str
    champion: str | None
    challenger: str | None
    symbols: int
    by_heuristic: int
    note: str
    recommendations: dict[str, int] = field(default_factory=dict)


def scored_models(registry: ModelRegistry) -> tuple[str, ...]:
    """The default models and every other of which a version holds an alias."""
    names = [spec.name for spec in DEFAULT_MODELS]
    return tuple(dict.fromkeys([*names, *(holder.model for holder in registry.ledger.holders())]))


def score_night(store: TableStore, registry: ModelRegistry) -> tuple[NightScores, ...]:
    """Score the run's session with every model and write the tables.

    Each champion is looked up once, so that a promotion during the run counts from the next one. A champion that cannot
    be loaded or used is replaced for the night by the last champion before it that can, or else by the heuristic; an
    alert and the rows say so.
    """
    state = store.read(RUN_STATE).row(0, named=True)
    consumer = FeatureConsumer(CONSUMERS[0].name, CONSUMERS[0].version, FEATURES)
    frame = read_features(store, consumer, "date = ?", [state["as_of"]])
    night = _Night(store, registry, state["as_of"], state["source_clock"], frame)
    results = tuple(night.score(model) for model in scored_models(registry))
    cutoff = new_york_calendar().shift(night.as_of, -CONTRIBUTION_SESSIONS)
    store.replace(CONTRIBUTIONS, CONTRIBUTIONS.empty(), "date <= ?", [cutoff])
    return results


@dataclass(frozen=True, slots=True, eq=False)
class _Night:
    """One session to score, with everything to read from and write to."""

    store: TableStore
    registry: ModelRegistry
    as_of: dt.date
    clock: dt.datetime
    frame: pl.DataFrame = field(repr=False)

    def score(self, model: str) -> NightScores:
        """Score the session with one model."""
        champion_version = self.registry.ledger.holder(model, CHAMPION)
        challenger_version = self.registry.ledger.holder(model, CHALLENGER)
        used, rows, note = self._by_champion(model, champion_version)
        scored = rows.signals if rows is not None else SIGNALS.empty()
        left = self.frame.join(scored, on="symbol", how="anti")
        parts = [rows] if rows is not None else []
        if left.height:
            note = note or f"too few of the features are known for {champion_version}"
            rule = used.card.spec.label if used is not None else _rule(self.store, model)
            if rule is None:
                note = f"{note}; the event of {model} is not known either, so nothing scored it"
            else:
                parts.append(self._by_heuristic(model, rule, left, note))
        signals = pl.concat([SIGNALS.empty(), *(part.signals for part in parts)])
        self._write(model, signals, pl.concat([CONTRIBUTIONS.empty(), *(part.contributions for part in parts)]))
        if used is not None and used.card.model_version == champion_version:
            extend_predictions(self.store, used)
        if challenger_version is not None:
            self._score_challenger(challenger_version)
        return NightScores(
            model=model,
            champion=champion_version,
            challenger=challenger_version,
            symbols=signals.height,
            by_heuristic=signals.filter(pl.col("source") == HEURISTIC).height,
            note=note,
            recommendations=dict(sorted(signals.group_by("recommendation").len().rows())),
        )

    def _by_champion(self, model: str, version: str | None) -> tuple[SignalModel | None, SignalRows | None, str]:
        """The champion and its rows, or those of the last one before it that can score; why, where it is neither."""
        if version is None:
            last = self.registry.ledger.last_event(model)
            return None, None, f"no champion of {model}: {last[1] if last else 'none has been trained yet'}"
        note = ""
        for candidate in (version, *self.registry.ledger.former_champions(model)):
            try:
                used = self.registry.load(candidate)
                rows = model_rows(used, self._rows_of(used), decided_at=self.clock, note=note)
            except QuantError as error:
                note = note or f"{version} could not score: {error}"
                continue
            if note:
                self._alert_about(model, version, f"{candidate}, champion before it, did", note)
            return used, rows, note
        self._alert_about(model, version, "the heuristic did", note)
        return None, None, note

    def _alert_about(self, model: str, version: str, instead: str, note: str) -> None:
        raise_alert(
            self.registry.operations,
            alert_id=f"signals-fallback-{model}-{self.as_of}",
            severity="HIGH",
            subject=f"{version} could not score {self.as_of}; {instead}",
            body=note,
        )

    def _rows_of(self, model: SignalModel) -> pl.DataFrame:
        """The session as the version reads it, which may be by other features than those of today's code."""
        return model_features(self.store, model.card, "date = ?", [self.as_of])

    def _by_heuristic(self, model: str, rule: LabelRule, frame: pl.DataFrame, note: str) -> SignalRows:
        return heuristic_rows(
            frame, model=model, rule=rule, fitted=self._fitted(rule), note=note, decided_at=self.clock
        )

    def _fitted(self, rule: LabelRule) -> HeuristicFit | None:
        """The heuristic's score against what happened in the last years."""
        since = new_york_calendar().shift(self.as_of, -HEURISTIC_SESSIONS)
        closes = self.store.read(ADJUSTED_PRICES, ["symbol", "date", "close"], "date >= ?", [since])
        labels = forward_labels(closes, rule, new_york_calendar().sessions)
        features = read_features(self.store, HEURISTIC_CONSUMER, "date >= ?", [since])
        # A rule whose inputs are not known counts 0, so every row with a score counts here.
        table = training_table(features, labels, RULE_FEATURES, least_known_share=0.0)
        return fit_heuristic(table, rule.horizon_days)

    def _write(self, model: str, signals: pl.DataFrame, contributions: pl.DataFrame) -> None:
        """Put the rows in place; one that says the same keeps the instant at which it was first decided."""
        with self.store.transaction() as connection:
            self.store.merge_within(connection, SIGNALS, SIGNALS.validate(signals), ignore=("decided_at",))
        self.store.replace(CONTRIBUTIONS, contributions, "date = ? AND model = ?", [self.as_of, model])

    def _score_challenger(self, version: str) -> None:
        """The challenger's word on the same rows; one that cannot be used is left out, with an alert."""
        try:
            challenger = self.registry.load(version)
            frame = challenger.scorable(self._rows_of(challenger))
            probabilities = challenger.probabilities(frame)
        except QuantError as error:
            raise_alert(
                self.registry.operations,
                alert_id=f"signals-challenger-{version}-{self.as_of}",
                severity="LOW",
                subject=f"The challenger {version} could not score {self.as_of}",
                body=str(error),
            )
            return
        scores = frame.select("symbol", "date").with_columns(
            pl.Series("probability", probabilities, dtype=pl.Float64),
            model=pl.lit(challenger.card.model),
            model_version=pl.lit(version),
            decided_at=pl.lit(self.clock.astimezone(dt.UTC)).cast(pl.Datetime("us", "UTC")),
        )
        with self.store.transaction() as connection:
            rows = CHALLENGER_SCORES.validate(scores.select(CHALLENGER_SCORES.column_names))
            self.store.merge_within(connection, CHALLENGER_SCORES, rows, ignore=("decided_at",))
        extend_predictions(self.store, challenger)


def _rule(store: TableStore, model: str) -> LabelRule | None:
    """The event of a model that cannot be loaded: as the code defines a default model, or as registered last, if so."""
    for spec in DEFAULT_MODELS:
        if spec.name == model:
            return spec.label
    last = store.read(MODELS, ["horizon_days", "threshold", "created_at"], "model = ?", [model])
    if last.is_empty():
        return None
    row = last.sort("created_at").row(-1, named=True)
    return LabelRule(row["horizon_days"], row["threshold"])
