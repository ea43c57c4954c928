from __future__ import annotations

import json
import shutil

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from quant_assets.features.tables import feature_store
from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.ops.tables import RUN_STATE
from quant_assets.signals import checks
from quant_assets.signals.drift_night import report_drift
from quant_assets.signals.feature_list import FEATURES, VOLATILITY_LEVELS
from quant_assets.signals.labels import forward_labels
from quant_assets.signals.ledger import CHALLENGER, CHAMPION
from quant_assets.signals.model_spec import DEFAULT_MODELS, BoostingParameters, LabelRule
from quant_assets.signals.registration import follow_ledger, register, remove_leftovers
from quant_assets.signals.score_night import score_night
from quant_assets.signals.tables import (
    CHALLENGER_SCORES,
    CONTRIBUTIONS,
    DRIFT_REPORTS,
    MODELS,
    SIGNALS,
    TABLES,
    WALK_FORWARD_PREDICTIONS,
)
from quant_assets.signals.training import Circumstances, train_model
from quant_assets.signals.training_run import read_training_inputs, train_and_register
from quant_assets.signals.training_table import training_table
from resources.warehouse import asset_key
from tests.signals.conftest import materialise
from tests.support.signal_home import NEVER_KNOWN, SESSIONS, STORE, SYMBOLS, SignalHome, empty_home

FIRST_STORE = feature_store(1)
IN_BOTH = tuple(name for name in FEATURES if name in FIRST_STORE.column_names)


@pytest.fixture(scope="module")
def night(first_night):
    """The first night's home, read only."""
    return first_night[0]


def by_model(home, model: str) -> pl.DataFrame:
    return home.warehouse.read(SIGNALS, where="model = ?", parameters=[model])


def break_champion(home, version: str = "jump-1") -> None:
    """Damage a stored model as a disk would."""
    file = home.folders.folder(version) / "model.txt"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def without_feature(home, version: str = "jump-1") -> None:
    """Make a stored model ask for a feature that the store does not have."""
    file = home.folders.folder(version) / "model.json"
    card = json.loads(file.read_text())
    card["features"] = ["vanished_feature", *card["features"][1:]]
    file.write_text(json.dumps(card))


def test_one_run_fills_every_table_and_passes_every_check(first_night):
    """Assets and checks materialised on a first night: tables, checks, pictures and figures are there."""
    run = first_night[1]
    if run is None:
        pytest.skip("another test process made the home and ran this test")
    made = {event.asset_key for event in run.get_asset_materialization_events()}
    assert made == {asset_key(table) for table in TABLES}
    assert {one.check_name for one in run.get_asset_check_evaluations()} == set(checks.__all__)
    assert all(one.passed for one in run.get_asset_check_evaluations())
    metadata = {m.asset_key: m.metadata for m in run.asset_materializations_for_node("train_models")}
    trained = metadata[asset_key(MODELS)]
    assert "data:image/svg+xml" in trained["jump importance"].value
    assert "data:image/svg+xml" in trained["jump calibration"].value
    assert trained["jump champion"].value == "jump-1"


def test_the_first_night_has_a_champion_where_there_is_something_to_know(night):
    """Volatility foretells jumps, so a model scores ``jump``; the heuristic scores ``direction`` and says why."""
    jump, direction = by_model(night, "jump"), by_model(night, "direction")
    assert jump.height == direction.height == SYMBOLS
    assert set(zip(jump["source"], jump["model_version"], strict=True)) == {("model", "jump-1")}
    assert jump["note"].null_count() == SYMBOLS
    assert set(direction["source"]) == {"heuristic"}
    assert direction["note"].str.contains("no champion of direction").all()
    assert direction["note"].str.contains("does not surely beat the base rate").all()


def test_contributions_add_up_to_the_odds_in_the_table(night):
    """Features and bias of each signal add up to its log-odds, and the log-odds are those of its probability."""
    signals = night.warehouse.read(SIGNALS).filter(pl.col("source") == "model")
    parts = night.warehouse.read(CONTRIBUTIONS).group_by("symbol", "date", "model").agg(pl.col("contribution").sum())
    joined = signals.join(parts, on=["symbol", "date", "model"])
    assert joined["contribution"].to_list() == pytest.approx(joined["log_odds"].to_list(), abs=1e-12)
    odds = (signals["probability"] / (1 - signals["probability"])).log()
    assert signals["log_odds"].to_list() == pytest.approx(odds.to_list(), abs=1e-9)


def test_a_feature_that_is_never_known_adds_nothing(night):
    """An all-null feature is no obstacle: it has a row, without a value, that contributes nothing."""
    rows = night.warehouse.read(CONTRIBUTIONS, where="feature = ? AND model = 'jump'", parameters=[NEVER_KNOWN])
    assert rows.height == SYMBOLS
    assert rows["value"].null_count() == SYMBOLS
    assert rows["contribution"].to_list() == [0.0] * SYMBOLS


def test_the_same_night_again_changes_nothing(home):
    """Scoring a session twice leaves the same rows, the instant of the first decision included."""
    before = {table.name: home.warehouse.read(table) for table in (SIGNALS, CONTRIBUTIONS, WALK_FORWARD_PREDICTIONS)}
    score_night(home.warehouse, home.registry())
    for table in (SIGNALS, CONTRIBUTIONS, WALK_FORWARD_PREDICTIONS):
        assert_frame_equal(home.warehouse.read(table), before[table.name], check_exact=True)


def test_each_night_adds_its_session_and_the_labels_that_matured(home):
    """After ten more sessions predictions reach the newest one, and only labels that cannot be known are null."""
    as_of = home.advance_to(SESSIONS + 10)
    score_night(home.warehouse, home.registry())
    rows = home.warehouse.read(WALK_FORWARD_PREDICTIONS).filter(pl.col("model") == "jump")
    assert rows["date"].max() == as_of
    assert rows.filter(pl.col("date") == as_of).height == SYMBOLS
    assert set(rows.filter(pl.col("label").is_null())["date"]) == {as_of}
    added = rows.filter(pl.col("date") > new_york_calendar().shift(as_of, -10))
    assert set(added["fold"]) == {rows["fold"].max()}
    signals = by_model(home, "jump").filter(pl.col("date") == as_of).sort("symbol")["probability"]
    newest = added.filter(pl.col("date") == as_of).sort("symbol")["probability"]
    assert newest.to_list() == pytest.approx(signals.to_list(), rel=1e-12)


def test_contributions_are_kept_for_a_year(home):
    """A night drops contributions older than 252 sessions and leaves the signals."""
    old = new_york_calendar().shift(home.advance_to(SESSIONS + 1), -252)
    row = home.warehouse.read(CONTRIBUTIONS).head(1).with_columns(date=pl.lit(old))
    with home.warehouse.transaction() as connection:
        home.warehouse.append_within(connection, CONTRIBUTIONS, row)
    score_night(home.warehouse, home.registry())
    assert home.warehouse.read(CONTRIBUTIONS)["date"].min() > old


def test_the_challenger_is_scored_beside_the_champion(home):
    """A challenger's word is kept for the same rows on the same night, and its labels mature like the champion's."""
    as_of = home.advance_to(SESSIONS + 6)
    scored = {night.model: night for night in score_night(home.warehouse, home.registry())}
    assert (scored["direction"].champion, scored["direction"].challenger) == (None, "direction-1")
    rows = home.warehouse.read(CHALLENGER_SCORES, where="date = ?", parameters=[as_of])
    assert set(rows["model_version"]) == {"direction-1"}
    assert rows["symbol"].to_list() == by_model(home, "direction").filter(pl.col("date") == as_of)["symbol"].to_list()
    stored = home.warehouse.read(WALK_FORWARD_PREDICTIONS, where="model_version = 'direction-1'")
    assert stored.filter(pl.col("label").is_not_null())["date"].max() == new_york_calendar().shift(as_of, -5)


@pytest.mark.parametrize(
    ("damage", "reason"), [(break_champion, "was changed after it was saved"), (without_feature, "vanished_feature")]
)
def test_a_champion_that_cannot_score_is_replaced_and_says_so(home, damage, reason):
    """Damaged, or asking for a feature that is gone: the heuristic scores, rows and an alert say why, drift waits."""
    damage(home)
    as_of = home.advance_to(SESSIONS + 1)
    score_night(home.warehouse, home.registry())
    rows = by_model(home, "jump").filter(pl.col("date") == as_of)
    assert set(rows["source"]) == {"heuristic"}
    assert rows["note"].str.contains(reason).all()
    assert rows["probability"].null_count() == 0
    ((subject, body),) = home.alerts()
    assert subject == f"jump-1 could not score {as_of}; the heuristic did"
    assert reason in body
    assert report_drift(home.warehouse, home.registry()) == ()


def test_the_last_good_champion_takes_over_from_a_damaged_one(home):
    """A champion that cannot be read is replaced by the one before it, whose predictions are not mixed with its own."""
    registry = home.registry()
    registry.files.write("jump-2", registry.files.read("jump-1"))
    registry.ledger.note("jump", "jump-2", "promoted", actor="test", reason="test", alias=CHAMPION)
    break_champion(home, "jump-2")
    as_of = home.advance_to(SESSIONS + 1)
    score_night(home.warehouse, registry)
    rows = by_model(home, "jump").filter(pl.col("date") == as_of)
    assert set(zip(rows["source"], rows["model_version"], strict=True)) == {("model", "jump-1")}
    assert rows["note"].str.contains("jump-2 could not score").all()
    assert [subject for subject, _ in home.alerts()] == [
        f"jump-2 could not score {as_of}; jump-1, champion before it, did"
    ]
    assert home.warehouse.read(WALK_FORWARD_PREDICTIONS, where="model = 'jump'")["date"].max() < as_of


def test_a_lost_warehouse_costs_no_champion(home, tmp_path):
    """With the warehouse moved away, a night and a retraining keep the champion, which scores, and the rows return."""
    before = home.warehouse.read(MODELS).drop("mlflow_run_id")
    shutil.copy(empty_home(tmp_path / "begun_again").warehouse.path, home.warehouse.path)
    as_of = home.advance_to(SESSIONS + 1)
    assert remove_leftovers(home.warehouse, home.registry()) == ()
    run = materialise(home)
    assert all(one.passed for one in run.get_asset_check_evaluations())
    assert_frame_equal(home.warehouse.read(MODELS).drop("mlflow_run_id"), before)
    materialise(home, model="jump", rounds=20)
    assert home.registry().ledger.holder("jump", CHAMPION) == "jump-1"
    assert home.folders.versions() == ("direction-1", "jump-1", "jump-2")
    rows = by_model(home, "jump").filter(pl.col("date") == as_of)
    assert set(rows["model_version"]) == {"jump-1"}


def test_champions_are_those_of_the_ledger(home):
    """A champion in whose place something else scored is named although the table of models is empty."""
    home.warehouse.replace(MODELS, MODELS.empty())
    assert checks.champions_score(home.warehouse, home.operations).passed
    home.registry().ledger.note("jump", "jump-9", "promoted", actor="test", reason="test", alias=CHAMPION)
    assert not checks.champions_score(home.warehouse, home.operations).passed


def test_a_model_of_unknown_event_does_not_stop_the_night(home):
    """A champion without folder and rows is no signal and an alert; the other models score."""
    home.registry().ledger.note("mine", "mine-1", "promoted", actor="test", reason="test", alias=CHAMPION)
    as_of = home.advance_to(SESSIONS + 1)
    nights = {night.model: night for night in score_night(home.warehouse, home.registry())}
    assert nights["mine"].symbols == 0
    assert nights["mine"].note.endswith("the event of mine is not known either, so nothing scored it")
    assert by_model(home, "jump").filter(pl.col("date") == as_of).height == SYMBOLS
    assert not checks.champions_score(home.warehouse, home.operations).passed


def test_a_challenger_that_cannot_score_is_left_out(home):
    """A damaged challenger costs a low alert and nothing else."""
    break_champion(home, "direction-1")
    as_of = home.advance_to(SESSIONS + 1)
    score_night(home.warehouse, home.registry())
    assert [subject for subject, _ in home.alerts()] == [f"The challenger direction-1 could not score {as_of}"]
    assert home.warehouse.read(CHALLENGER_SCORES, where="date = ?", parameters=[as_of]).is_empty()
    assert by_model(home, "direction").filter(pl.col("date") == as_of).height == SYMBOLS


def test_a_symbol_of_few_features_gets_the_heuristic(home):
    """A newcomer with most features unknown is scored by the heuristic, the others by the champion."""
    as_of = home.advance_to(SESSIONS + 1)
    row = home.warehouse.query("SELECT * FROM features.feature_store_v2 WHERE date = ? AND symbol = 'S0'", [as_of])
    sparse = [name for name in row.columns if row[name].dtype == pl.Float64 and name not in ("close", "rsi_14")]
    with home.warehouse.transaction() as connection:
        cleared = ", ".join(f"{name} = NULL" for name in sparse)
        connection.execute(f"UPDATE features.feature_store_v2 SET {cleared} WHERE date = ? AND symbol = 'S0'", [as_of])
    score_night(home.warehouse, home.registry())
    rows = by_model(home, "jump").filter(pl.col("date") == as_of)
    assert dict(zip(rows["symbol"], rows["source"], strict=True)) == {
        "S0": "heuristic", "S1": "model", "S2": "model", "S3": "model",
    }  # fmt: skip
    assert rows.filter(pl.col("symbol") == "S0")["note"][0] == "too few of the features are known for jump-1"


def test_what_knows_too_little_is_predicted_by_no_version(home):
    """A sparse row has no prediction of champion or challenger either, and gets them once the store knows more."""
    as_of = home.advance_to(SESSIONS + 1)
    whole = home.warehouse.query("SELECT * FROM features.feature_store_v2 WHERE date = ? AND symbol = 'S0'", [as_of])
    unknown = ", ".join(f"{name} = NULL" for name in FEATURES[: len(FEATURES) // 2 + 1])
    with home.warehouse.transaction() as connection:
        connection.execute(f"UPDATE features.feature_store_v2 SET {unknown} WHERE date = ? AND symbol = 'S0'", [as_of])
    score_night(home.warehouse, home.registry())

    def predicted(table) -> set[tuple[str, str]]:
        rows = home.warehouse.read(table, where="date = ?", parameters=[as_of])
        return set(rows.select("symbol", "model_version").rows())

    others = {f"S{number}" for number in range(1, SYMBOLS)}
    assert predicted(WALK_FORWARD_PREDICTIONS) == {(one, v) for one in others for v in ("jump-1", "direction-1")}
    assert predicted(CHALLENGER_SCORES) == {(one, "direction-1") for one in others}
    home.warehouse.replace(STORE, whole, "date = ? AND symbol = 'S0'", [as_of])
    score_night(home.warehouse, home.registry())
    assert ("S0", "jump-1") in predicted(WALK_FORWARD_PREDICTIONS)
    assert ("S0", "direction-1") in predicted(CHALLENGER_SCORES)


def test_a_symbol_that_arrives_late_is_not_lost(home, tmp_path):
    """Its row of a session that was extended without it is predicted when it comes, as if it had been in time."""
    in_time = home.copy(tmp_path / "in_time")
    late = home.advance_to(SESSIONS + 1)
    row = home.warehouse.read(STORE, where="date = ? AND symbol = 'S3'", parameters=[late])
    home.warehouse.replace(STORE, STORE.empty(), "date = ? AND symbol = 'S3'", [late])
    score_night(home.warehouse, home.registry())
    for night in (home, in_time):
        night.advance_to(SESSIONS + 3)
    with home.warehouse.transaction() as connection:
        home.warehouse.append_within(connection, STORE, row)
    for night in (home, in_time):
        score_night(night.warehouse, night.registry())
    found, expected = (
        night.warehouse.read(WALK_FORWARD_PREDICTIONS, where="date >= ?", parameters=[late])
        for night in (home, in_time)
    )
    assert found.filter((pl.col("date") == late) & (pl.col("symbol") == "S3")).height == 2
    assert_frame_equal(found, expected, check_exact=True)


def as_version_1(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of version 2 of the store as rows of version 1, whose features have other values here."""
    return rows.with_columns((0.5 - 2.0 * pl.col(name)).alias(name) for name in IN_BOTH).select(
        FIRST_STORE.column_names
    )


@pytest.fixture(scope="module")
def on_version_1(first_night, tmp_path_factory) -> SignalHome:
    """A home whose champion of ``jump`` was trained on version 1 of the store, one session later; read only."""
    home = first_night[0].copy(tmp_path_factory.mktemp("version_1") / "home")
    registry, inputs = home.registry(), read_training_inputs(home.warehouse)
    spec = DEFAULT_MODELS[1].with_changes(boosting=BoostingParameters(rounds=20, learning_rate=0.2))
    table = training_table(
        as_version_1(home.warehouse.read(STORE)), forward_labels(inputs.closes, spec.label, inputs.sessions), IN_BOTH
    )
    register(
        home.warehouse, registry, train_model(table, spec, Circumstances("jump-2", 1, inputs.clock, "")), actor="test"
    )
    registry.ledger.note("jump", "jump-2", "promoted", actor="test", reason="test", alias=CHAMPION)
    follow_ledger(home.warehouse, registry)
    home.advance_to(SESSIONS + 1)
    home.warehouse.ensure([FIRST_STORE])
    home.warehouse.replace(FIRST_STORE, as_version_1(home.warehouse.read(STORE)))
    return home


@pytest.mark.parametrize("alias", [CHAMPION, CHALLENGER])
def test_a_version_reads_the_store_that_it_was_trained_on(on_version_1, alias, tmp_path):
    """Champion or challenger of version 1 of the store score version 1's values, beside versions that read another."""
    home = on_version_1.copy(tmp_path / "home")
    registry = home.registry()
    if alias == CHALLENGER:
        registry.ledger.note("jump", "jump-1", "promoted", actor="test", reason="test", alias=CHAMPION)
        registry.ledger.note("jump", "jump-2", "challenger", actor="test", reason="test", alias=CHALLENGER)
        follow_ledger(home.warehouse, registry)
    nights = {night.model: night for night in score_night(home.warehouse, registry)}
    model, as_of = registry.load("jump-2"), home.warehouse.read(RUN_STATE)["as_of"][0]
    first, second = (home.warehouse.read(table, where="date = ?", parameters=[as_of]) for table in (FIRST_STORE, STORE))
    expected = model.probabilities(first)
    assert np.abs(expected - model.probabilities(second)).min() > 1e-6
    table = SIGNALS if alias == CHAMPION else CHALLENGER_SCORES
    for stored in (table, WALK_FORWARD_PREDICTIONS):
        rows = home.warehouse.read(stored, where="date = ? AND model_version = 'jump-2'", parameters=[as_of])
        assert rows["probability"].to_list() == pytest.approx(expected.tolist(), rel=1e-12)
    assert nights["jump"].by_heuristic == 0
    assert report_drift(home.warehouse, registry)[0].model_version == nights["jump"].champion


def test_a_champion_of_a_store_that_is_gone_is_replaced_and_says_so(home):
    """A version of the store that the project no longer has is a reason in the rows, not a failed night."""
    file = home.folders.folder("jump-1") / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"feature_version": 9}))
    as_of = home.advance_to(SESSIONS + 1)
    score_night(home.warehouse, home.registry())
    rows = by_model(home, "jump").filter(pl.col("date") == as_of)
    assert set(rows["source"]) == {"heuristic"}
    assert rows["note"].str.contains("jump-1 was trained on version 9 of the feature store, which there is not").all()


def test_a_model_of_ones_own_is_trained_scored_and_kept(home):
    """A new name with its own event trains on demand; its next night scores it beside the default models."""
    home.advance_to(SESSIONS + 1)
    run = materialise(home, model="fall", horizon_days=1, threshold=-0.02, rounds=30)
    assert run.success
    row = home.warehouse.read(MODELS, where="model = 'fall'").row(0, named=True)
    assert (row["horizon_days"], row["threshold"], row["alias"]) == (1, -0.02, "champion")
    assert json.loads(row["parameters"])["boosting"]["rounds"] == 30
    night = by_model(home, "fall")
    assert set(zip(night["source"], night["model_version"], strict=True)) == {("model", "fall-1")}


def test_a_default_model_on_chosen_symbols_is_not_promoted(home):
    """Trained on chosen symbols, a default model stays out of an empty champion's place that it would have won."""
    registry = home.registry()
    registry.ledger.release("jump-1")
    spec = DEFAULT_MODELS[1].with_changes(symbols=("S0", "S1", "S2"), boosting=BoostingParameters(rounds=30))
    outcome = train_and_register(
        home.warehouse, registry, read_training_inputs(home.warehouse), spec,
        actor="Ann", revision="", report=lambda _: None,
    )  # fmt: skip
    assert outcome.alias == CHALLENGER
    assert outcome.reason.startswith("kept, not promoted: trained on chosen symbols; promote it by hand")
    assert "it beats the base rate" in outcome.reason
    assert registry.ledger.holder("jump", CHAMPION) is None


def test_only_a_narrowed_default_model_is_kept_back():
    """A shortened history counts as chosen too; a model of one's own is what its maker asks for."""
    jump = DEFAULT_MODELS[1]
    assert not jump.with_changes(tuning_trials=3).is_narrowed_default
    assert jump.with_changes(lookback_sessions=1000).is_narrowed_default
    assert not jump.with_changes(name="mine", symbols=("S1",)).is_narrowed_default


def test_drift_is_confirmed_by_the_second_strike(home):
    """Volatility that trebles for good is a strike on the first judged night and confirmed five sessions later."""
    first = home.advance_to(SESSIONS + 80)
    since = new_york_calendar().shift(first, -70)
    raised = ", ".join(f"{name} = 3 * {name}" for name in VOLATILITY_LEVELS)
    with home.warehouse.transaction() as connection:
        connection.execute(f"UPDATE features.feature_store_v2 SET {raised} WHERE date > ?", [since])
    registry = home.registry()
    (tonight,) = report_drift(home.warehouse, registry)
    assert (tonight.model, tonight.strikes, tonight.is_confirmed) == ("jump", 0, False)
    assert "natr_14" in tonight.moved
    assert tonight.chart is not None
    home.advance_to(SESSIONS + 85)
    with home.warehouse.transaction() as connection:
        connection.execute(f"UPDATE features.feature_store_v2 SET {raised} WHERE date > ?", [first])
    (later,) = report_drift(home.warehouse, registry)
    assert (later.strikes, later.is_confirmed) == (5, True)
    row = home.warehouse.read(DRIFT_REPORTS, where="measure = 'strikes' AND drifted").row(0, named=True)
    assert (row["value"], row["model_version"]) == (5.0, "jump-1")


def test_a_stationary_market_is_no_drift(night):
    """On its first night the champion's own market has not drifted."""
    strikes = night.warehouse.read(DRIFT_REPORTS, where="measure = 'strikes'")
    assert strikes["model"].to_list() == ["jump"]
    assert strikes["value"].to_list() == [0.0]


def test_a_night_without_any_model_is_scored_by_the_heuristic(home):
    """With every alias gone each symbol still has a row for each model, with the reason."""
    registry = home.registry()
    for version in ("jump-1", "direction-1"):
        registry.ledger.release(version)
    follow_ledger(home.warehouse, registry)
    as_of = home.advance_to(SESSIONS + 1)
    nights = score_night(home.warehouse, registry)
    assert [night.by_heuristic for night in nights] == [SYMBOLS, SYMBOLS]
    rows = home.warehouse.read(SIGNALS, where="date = ?", parameters=[as_of])
    assert rows["note"].str.contains("no champion of").all()
    assert registry.ledger.holder("direction", CHALLENGER) is None


def test_a_first_night_of_sixty_sessions_goes_by_the_heuristic(tmp_path):
    """With too little history to train, the run succeeds: the heuristic signals without a probability and says why."""
    home = empty_home(tmp_path / "home")
    home.advance_to(60)
    run = materialise(home)
    assert run.success
    assert all(one.passed for one in run.get_asset_check_evaluations())
    signals = home.warehouse.read(SIGNALS)
    assert signals.height == 2 * SYMBOLS
    assert set(signals["source"]) == {"heuristic"}
    assert signals["note"].str.contains("60 sessions of history give 0 folds").all()
    assert signals["probability"].null_count() == 2 * SYMBOLS
    events = home.registry().ledger.events()
    assert events.select("model", "event").rows() == [("direction", "failed"), ("jump", "failed")]
    assert home.folders.versions() == ()


def test_an_event_that_never_happened_is_an_outcome(home):
    """Asking for a model of one class ends with its reason and leaves everything else as it was."""
    spec = DEFAULT_MODELS[1].with_changes(name="moon", label=LabelRule(1, 0.8))
    outcome = train_and_register(
        home.warehouse, home.registry(), read_training_inputs(home.warehouse), spec,
        actor="test", revision="", report=lambda _: None,
    )  # fmt: skip
    assert (outcome.alias, outcome.card) == (None, None)
    assert "a return over 80.0% in the next session never happened in" in outcome.reason
    assert home.registry().ledger.last_event("moon") == ("failed", outcome.reason)
    assert home.folders.versions() == ("direction-1", "jump-1")
