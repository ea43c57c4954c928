"""Signals: figures of the newest version of each model, out of sample, each beside its naive figure; drift."""

from functools import cache

from benchmarks.scorecard.measured import measured
from benchmarks.scorecard.rows import NOT_MEASURED, Row, rows
from benchmarks.signals_drift import CHANGES, measure

_SHOWN = (
    "accuracy balanced_accuracy precision_weighted recall_weighted f1_weighted",
    "brier_skill brier log_loss auc calibration_deciles_off",
    "rank_ic rank_icir rank_ic_t",
)
_FIGURES = """
SELECT model_version, metric, slice, value, baseline, low, high FROM signals.model_metrics
WHERE model = '{model}' AND slice IN ('all', 'against:logistic', 'against:heuristic', 'against:champion')
AND model_version = (
    SELECT model_version FROM signals.models WHERE model = '{model}'
    ORDER BY created_at DESC, length(model_version) DESC, model_version DESC LIMIT 1
)
"""
_SERVED = """
SELECT source, any_value(model_version), any_value(note) FROM signals.signals
WHERE model = '{model}' AND date = (SELECT max(date) FROM signals.signals) GROUP BY source ORDER BY source
"""
_INDENT = "\n              "
_MARKETS = 4
_CODE = ("quant_assets/signals", "quant_assets/foundation", "benchmarks/signals_drift.py")


def _words(metric: str, value, baseline, low, high) -> str:
    interval = f" [{low:.4f}, {high:.4f}]" if low is not None else ""
    shown = "none" if value is None else f"{value:.4f}"
    return f"{metric} {shown}{interval}" + (f" ({baseline:.4f})" if baseline is not None else "")


def _model(name: str):
    def read(connection) -> str:
        found = rows(connection, _FIGURES.format(model=name))
        if not found:
            return NOT_MEASURED
        overall = {metric: values for _, metric, part, *values in found if part == "all"}
        lines = [f"{found[0][0]}, naive figure in brackets"]
        lines += [
            "; ".join(_words(metric, *overall[metric]) for metric in metrics.split() if metric in overall)
            for metrics in _SHOWN
        ]
        lines += [
            f"{part}: {_words(metric, *values)}"
            for _, metric, part, *values in sorted(found, key=lambda row: row[2])
            if part != "all" and metric == "brier_skill"
        ]
        served = rows(connection, _SERVED.format(model=name))
        lines += [f"served by {version}{f': {note}' if note else ''}" for _, version, note in served]
        return _INDENT.join(lines)

    return read


@cache
def _drift() -> dict:
    return measured("drift", _CODE, lambda: measure(_MARKETS), takes="two minutes")


def _delays(_connection) -> str:
    found = _drift()
    changes = "; ".join(
        f"{name}: in {found[name]['found']} of {found['markets']} markets, median {found[name]['median']} sessions"
        for name in CHANGES
    )
    return f"{changes}{_INDENT}false alarms a year {found['alarms_per_year']:.2f} in {found['years']:.0f} years"


ROWS = (
    Row(
        "jump: next-day move over 2 %",
        "accuracy > 85 % and not below always saying no; Brier skill > 0 with its 95 % interval; no decile off",
        _model("jump"),
    ),
    Row("direction: 5 sessions up", "reported; a rank IC above 0.15 would be a bug", _model("direction")),
    Row(
        "planted drift until its confirmation (the sensor asks within a minute of the publication)",
        "retraining asked for within 24 h of the confirmation; few false alarms",
        _delays,
    ),
)
