"""Held challengers: judged again on live rows, and how long they keep their place. Store and ledger are real."""

from __future__ import annotations

import datetime as dt
import json
import signal
import subprocess
import sys
from dataclasses import replace

import dagster as dg
import numpy as np
import polars as pl
import pytest

from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.ops.tables import RUN_STATE
from quant_assets.signals import checks
from quant_assets.signals.challenger import (
    LEAST_LIVE_SESSIONS,
    Making,
    compare_live,
    judge_held,
    keeps_place,
    making_of,
)
from quant_assets.signals.challenger_review import compare_challengers, review_challenger
from quant_assets.signals.feature_list import FEATURE_VERSION, FEATURES
from quant_assets.signals.ledger import CHALLENGER, CHAMPION
from quant_assets.signals.model_spec import DEFAULT_MODELS
from quant_assets.signals.score_night import score_night
from quant_assets.signals.tables import MODEL_METRICS, MODELS, SIGNALS, WALK_FORWARD_PREDICTIONS
from quant_assets.signals.training_run import read_training_inputs, retrain
from tests.signals.conftest import materialise
from tests.signals.test_promotion import SYMBOLS as CANDIDATES
from tests.signals.test_promotion import candidate
from tests.support.signal_home import LATER, SESSIONS, SignalHome, market

SPEC = next(spec for spec in DEFAULT_MODELS if spec.name == "jump")
CONTESTED_BEFORE = 45
"""Sessions before the training from which on champion and challenger differ below; with the live ones enough."""


@pytest.fixture(scope="module")
def held(retrained, tmp_path_factory) -> SignalHome:
    """A home with ``jump-2`` as challenger, scored live beside the champion for 89 sessions; read only."""
    home = retrained.copy(tmp_path_factory.mktemp("held") / "home")
    home.advance_to(SESSIONS + LATER)
    score_night(home.warehouse, home.registry())
    return home


@pytest.fixture
def lived(held, tmp_path) -> SignalHome:
    """A copy of that home which a test may change."""
    return held.copy(tmp_path / "lived")


def say(home: SignalHome, share: float) -> None:
    """Let the challenger repeat the champion until 45 sessions before its training, then lean to what happened."""
    rows = home.warehouse.read(WALK_FORWARD_PREDICTIONS, where="model_version = 'jump-1'")
    since = market().sessions[SESSIONS - CONTESTED_BEFORE]
    leant = pl.col("probability") + share * (pl.col("label").fill_null(0.5) - pl.col("probability"))
    leaning = pl.when(pl.col("date") >= since).then(leant.clip(0.001, 0.999)).otherwise(pl.col("probability"))
    rows = rows.with_columns(probability=leaning, model_version=pl.lit("jump-2"))
    home.warehouse.replace(WALK_FORWARD_PREDICTIONS, rows, "model_version = 'jump-2'")


def reviewed(home: SignalHome, actor: str = "weekly_retraining"):
    closes = home.warehouse.read(ADJUSTED_PRICES, ["symbol", "date", "close"])
    return review_challenger(home.warehouse, home.registry(), "jump", closes, actor=actor)


def aliases(home: SignalHome) -> dict[str, str]:
    return {h.alias: h.model_version for h in home.registry().ledger.holders() if h.model == "jump"}


def last_event(home: SignalHome) -> tuple:
    rows = home.registry().ledger.events().filter(pl.col("model") == "jump").sort("event_id")
    return rows.select("model_version", "event", "actor", "reason").row(-1)


def test_a_challenger_that_is_better_live_is_promoted(lived):
    """It takes the place by the same rule; the ledger says who did it, with both scores on the live sessions alone."""
    say(lived, 0.1)
    review = reviewed(lived)
    assert review.is_promoted
    assert aliases(lived) == {CHAMPION: "jump-2"}
    version, event, actor, reason = last_event(lived)
    assert (version, event, actor) == ("jump-2", "promoted", "weekly_retraining")
    live = LATER - 1  # The newest session's outcome is not known.
    assert f"judged again in {CONTESTED_BEFORE + live} sessions: Brier" in reason
    assert f"it wins; live sessions: {live}, Brier {review.live.brier:.5f} against" in reason
    assert "of the champion, rank IC" in reason
    rows = lived.warehouse.read(MODELS, where="model = 'jump'")
    assert dict(zip(rows["model_version"], rows["alias"], strict=True)) == {"jump-1": None, "jump-2": CHAMPION}
    figures = lived.warehouse.read(MODEL_METRICS, where="slice = 'live' AND metric = 'brier'")
    assert figures.select("model_version", "value", "baseline").rows() == [
        ("jump-2", review.live.brier, review.live.opponent_brier)
    ]
    assert set(lived.warehouse.read(WALK_FORWARD_PREDICTIONS, where="model = 'jump'")["model_version"]) == {"jump-2"}


def test_a_challenger_that_is_worse_live_is_not_promoted(lived):
    """It stays what it is, and the ledger has the judgement with its figures."""
    say(lived, -0.1)
    assert not reviewed(lived).is_promoted
    assert aliases(lived) == {CHAMPION: "jump-1", CHALLENGER: "jump-2"}
    version, event, actor, reason = last_event(lived)
    assert (version, event, actor) == ("jump-2", "judged", "weekly_retraining")
    assert "the champion stays; live sessions: 89, Brier" in reason


def test_equal_forecasts_change_nothing(lived):
    """A challenger that repeats the champion differs from it nowhere and wins nothing."""
    say(lived, 0.0)
    assert not reviewed(lived).is_promoted
    assert aliases(lived) == {CHAMPION: "jump-1", CHALLENGER: "jump-2"}
    assert "differ from the champion's in 0 out-of-sample sessions" in last_event(lived)[3]


def test_the_same_rows_get_the_same_verdict(lived):
    """Judging twice without a new session is no second draw."""
    say(lived, -0.02)
    first, second = reviewed(lived), reviewed(lived)
    assert (first.is_promoted, first.reason) == (second.is_promoted, second.reason)


def test_nothing_after_the_session_is_used(lived, tmp_path):
    """With the run's session set back, the verdict is that of a store in which the later rows do not exist."""
    say(lived, 0.1)
    as_of = market().sessions[SESSIONS + 60 - 1]
    state = lived.warehouse.read(RUN_STATE).with_columns(as_of=pl.lit(as_of))
    lived.warehouse.replace(RUN_STATE, state)
    cut = lived.copy(tmp_path / "cut")
    with cut.warehouse.transaction() as connection:
        connection.execute("DELETE FROM market_data.adjusted_prices WHERE date > ?", [as_of])
        connection.execute("DELETE FROM signals.walk_forward_predictions WHERE date > ?", [as_of])
    with_later, without = reviewed(lived), reviewed(cut)
    assert with_later.live.sessions == 59
    assert with_later.reason == without.reason


def test_versions_of_one_making_are_compared_where_the_champion_was_live(lived):
    """A challenger of the champion's own making is not judged by sessions before the champion's training."""
    say(lived, 0.1)
    champion, challenger = (lived.folders.folder(version) / "model.json" for version in ("jump-1", "jump-2"))
    card = json.loads(challenger.read_text())
    challenger.write_text(json.dumps(card | {"spec": json.loads(champion.read_text())["spec"]}))
    assert not reviewed(lived).is_promoted
    assert (
        f"differ from the champion's in {LATER - 1} out-of-sample sessions and 120 are needed" in last_event(lived)[3]
    )


def test_live_figures_are_those_of_the_tables(held):
    """Brier scores and their skill in the metrics are what a plain join of predictions and labels gives."""
    live = compare_challengers(held.warehouse, held.registry())["jump-2"]
    plain = held.warehouse.query(
        "SELECT count(*) AS rows, count(DISTINCT date) AS sessions, avg((ours.probability - ours.label) ** 2) AS brier,"
        " avg((theirs.probability - ours.label) ** 2) AS opponent FROM signals.walk_forward_predictions AS ours "
        "JOIN signals.walk_forward_predictions AS theirs USING (symbol, date) WHERE ours.model_version = 'jump-2' "
        "AND theirs.model_version = 'jump-1' AND ours.label IS NOT NULL AND date > ?",
        [market().sessions[SESSIONS - 1]],
    ).row(0, named=True)
    assert (live.rows, live.sessions) == (plain["rows"], plain["sessions"])
    assert (live.brier, live.opponent_brier) == pytest.approx((plain["brier"], plain["opponent"]), rel=1e-12)
    rows = held.warehouse.read(MODEL_METRICS, where="model_version = 'jump-2' AND slice = 'live'")
    stored = {row["metric"]: (row["value"], row["baseline"], row["rows"]) for row in rows.iter_rows(named=True)}
    assert stored["brier"] == (live.brier, live.opponent_brier, live.rows)
    assert stored["brier_skill"][0] == pytest.approx(1.0 - plain["brier"] / plain["opponent"])
    assert stored["live_sessions"] == (live.sessions, LEAST_LIVE_SESSIONS, live.rows)
    assert set(rows["baseline_name"]) == {"champion", "sessions that keep its place"}


def test_without_a_champion_the_opponent_is_the_base_rate(held):
    """The challenger of ``direction``, whose champion's place is empty, is compared with the naive forecast."""
    live = compare_challengers(held.warehouse, held.registry())["direction-1"]
    assert (live.opponent, live.sessions) == ("base rate", LATER - 5)
    assert live.words.startswith(f"live sessions: {LATER - 5}, Brier")


@pytest.fixture
def young(retrained, tmp_path) -> SignalHome:
    """A home whose challenger ``jump-2`` has three live sessions, the outcomes of two of them known."""
    home = retrained.copy(tmp_path / "young")
    home.advance_to(SESSIONS + 3)
    score_night(home.warehouse, home.registry())
    return home


def calendar_training(home: SignalHome, spec, *, keep: bool, actor: str = "weekly_retraining"):
    (outcome,) = retrain(
        home.warehouse, home.registry(), read_training_inputs(home.warehouse), [spec],
        keep_challengers=keep, actor=actor, revision="", report=lambda _: None,
    )  # fmt: skip
    return outcome


def causality(home: SignalHome) -> dg.AssetCheckResult:
    return checks.predictions_do_not_look_ahead(home.warehouse, home.operations, home.folders, home.records)


def test_too_few_live_sessions_keep_the_place(young, jump_2):
    """The calendar's version that does not win is kept without an alias, says why, and is proven like any other."""
    outcome = calendar_training(young, jump_2.model.card.spec, keep=True)
    assert (outcome.alias, outcome.review.live.sessions) == (None, 2)
    assert aliases(young) == {CHAMPION: "jump-1", CHALLENGER: "jump-2"}
    version, event, _, reason = last_event(young)
    assert (version, event) == ("jump-3", "kept")
    assert reason.endswith("no alias: jump-2 has 2 live sessions and keeps the challenger's place until it has 63")
    predicted = young.warehouse.read(WALK_FORWARD_PREDICTIONS, where="model = 'jump'")
    assert set(predicted["model_version"]) == {"jump-1", "jump-2"}
    assert young.warehouse.read(MODELS, where="model_version = 'jump-3'")["alias"][0] is None
    found = causality(young)
    assert (found.passed, found.description) == (True, "jump-3: largest difference 0.0e+00")
    (young.folders.folder("jump-3") / "walk_forward.parquet").unlink()
    assert not causality(young).passed


def test_drift_gives_the_place_to_the_new_version(young):
    """A run that drift asked for judges the held challenger first, then puts the new version in its place."""
    run = materialise(young, model="jump", rounds=20, actor="retrain_on_drift")
    events = young.registry().ledger.events().sort("event_id").tail(2)
    assert events.select("model_version", "event", "actor").rows() == [
        ("jump-2", "judged", "retrain_on_drift"),
        ("jump-3", "challenger", "retrain_on_drift"),
    ]
    assert aliases(young) == {CHAMPION: "jump-1", CHALLENGER: "jump-3"}
    metadata = run.asset_materializations_for_node("train_models")[0].metadata
    assert "live sessions: 2, Brier" in metadata["jump-2 review"].value
    assert metadata["jump-3 comparison"].value == "no live session has a known outcome yet"
    found = {one.check_name: one for one in run.get_asset_check_evaluations()}
    assert found["predictions_do_not_look_ahead"].description == "jump-3: largest difference 0.0e+00"
    assert all(one.passed for one in found.values())


def test_the_place_is_kept_for_a_quarter_and_for_the_same_making(jump_2):
    """Another specification, feature or version of the store frees the place; what a search finds does not."""
    card = jump_2.model.card
    spec = card.spec
    same = making_of(card)
    assert same == Making.asked_for(spec, FEATURES, FEATURE_VERSION)
    assert keeps_place(card, LEAST_LIVE_SESSIONS - 1, same)
    assert not keeps_place(card, LEAST_LIVE_SESSIONS, same)
    assert not keeps_place(card, 0, Making.asked_for(spec.with_changes(seed=9), FEATURES, FEATURE_VERSION))
    assert not keeps_place(card, 0, Making.asked_for(spec, FEATURES[1:], FEATURE_VERSION))
    assert not keeps_place(card, 0, Making.asked_for(spec, FEATURES, FEATURE_VERSION + 1))
    searched = spec.with_changes(tuning_trials=3)
    found = replace(card, spec=searched.with_changes(boosting=replace(spec.boosting, leaves=16)))
    assert keeps_place(found, 0, Making.asked_for(searched, FEATURES, FEATURE_VERSION))


def test_a_challenger_on_chosen_symbols_is_left_to_people(lived):
    """What the training would not promote, judging it again does not either."""
    say(lived, 0.1)
    registry = lived.registry()
    file = lived.folders.folder("jump-2") / "model.json"
    file.write_text(file.read_text().replace('"symbols": []', '"symbols": ["S0", "S1", "S2"]'))
    assert registry.load("jump-2").card.spec.symbols == ("S0", "S1", "S2")
    assert not reviewed(lived).is_promoted
    assert "promote it by hand" in last_event(lived)[3]


def test_a_challenger_that_cannot_be_read_is_not_promoted(lived):
    """A damaged folder is an outcome with its reason, and its place is free."""
    say(lived, 0.1)
    (lived.folders.folder("jump-2") / "model.txt").write_bytes(b"tree")
    assert reviewed(lived) is None
    assert aliases(lived) == {CHAMPION: "jump-1", CHALLENGER: "jump-2"}
    assert last_event(lived)[1] == "judged"
    assert "was changed after it was saved" in last_event(lived)[3]


def test_the_live_sessions_have_a_veto():
    """A challenger that wins by its past alone, while its live sessions speak against it, is not promoted."""
    scored = candidate(1.0, 0.5)
    known_on: dt.date = np.unique(scored.dates)[-31].item()
    assert judge_held(scored, SPEC, known_on)[0].wins
    live = scored.dates > np.datetime64(known_on)
    turned = replace(scored, probability=np.where(live, 1.0 - scored.probability, scored.probability))
    verdict, found = judge_held(turned, SPEC, known_on)
    assert (found.sessions, found.rows) == (30, 30 * CANDIDATES)
    assert not verdict.wins
    assert "it wins, but not on its live sessions; live sessions: 30, Brier" in verdict.reason


def test_sessions_that_one_of_both_did_not_forecast_are_not_compared():
    """Rows without the champion's forecast count on neither side."""
    scored = candidate(1.0, 0.5, sessions=60)
    dates = np.unique(scored.dates)
    scored.opponents["champion"][scored.dates == dates[-1]] = np.nan
    found = compare_live(scored, dates[-11].item())
    assert (found.sessions, found.rows) == (9, 9 * CANDIDATES)
    assert compare_live(scored, dates[-1].item()).words == "no live session has a known outcome yet"


KILLED = """
import os, signal, sys
from pathlib import Path
from quant_assets.market_data.tables import ADJUSTED_PRICES
from quant_assets.signals.challenger_review import review_challenger
from resources.model_registry import MlflowRecords
from tests.support.signal_home import SignalHome

class Killed(MlflowRecords):
    def assign_alias(self, *_):
        os.kill(os.getpid(), signal.SIGKILL)

home = SignalHome(Path(sys.argv[1]))
closes = home.warehouse.read(ADJUSTED_PRICES, ["symbol", "date", "close"])
review_challenger(home.warehouse, home.registry(Killed(home.path / "mlflow")), "jump", closes, actor="test")
"""


def test_a_run_killed_between_judging_and_training_leaves_a_consistent_state(lived):
    """Killed once the ledger has the promotion, tables still tell the old story; the next night follows the ledger."""
    say(lived, 0.1)
    arguments = [sys.executable, "-W", "ignore", "-c", KILLED, str(lived.path)]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    assert aliases(lived) == {CHAMPION: "jump-2"}
    assert lived.warehouse.read(MODELS, where="alias = 'champion'")["model_version"].to_list() == ["jump-1"]
    assert reviewed(lived) is None
    run = materialise(lived)
    assert run.success
    assert all(one.passed for one in run.get_asset_check_evaluations())
    assert lived.warehouse.read(MODELS, where="alias = 'champion'")["model_version"].to_list() == ["jump-2"]
    as_of = market().sessions[SESSIONS + LATER - 1]
    rows = lived.warehouse.read(SIGNALS, where="model = 'jump' AND date = ?", parameters=[as_of])
    assert set(rows["model_version"]) == {"jump-2"}
    promotions = lived.registry().ledger.events().filter(pl.col("event") == "promoted")
    assert promotions["model_version"].to_list() == ["jump-1", "jump-2"]
