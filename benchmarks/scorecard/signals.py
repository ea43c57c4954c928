"""Signals: figures of the newest version of each model, out of sample, each beside its naive figure."""

from benchmarks.scorecard.rows import NOT_MEASURED, Row, rows

_FIGURES = """
SELECT model_version, metric, value, baseline, baseline_name, low, high FROM signals.model_metrics
WHERE model = '{model}' AND slice = 'all' AND metric IN ('accuracy', 'brier_skill', 'auc', 'rank_ic')
AND model_version = (SELECT model_version FROM signals.models WHERE model = '{model}' ORDER BY created_at DESC LIMIT 1)
ORDER BY metric
"""


def _model(name: str):
    def read(connection) -> str:
        shown = []
        for _, metric, value, baseline, against, low, high in rows(connection, _FIGURES.format(model=name)):
            words = f"{metric} {value:.4f}"
            words += f" [{low:.4f}, {high:.4f}]" if low is not None else ""
            words += f" ({against} {baseline:.4f})" if baseline is not None else ""
            shown.append(words)
        return "; ".join(shown) or NOT_MEASURED

    return read


ROWS = (
    Row(
        "jump: next-day move over 2 %",
        "accuracy > 85 % and not below always saying no; Brier skill > 0 with its 95 % interval",
        _model("jump"),
    ),
    Row("direction: 5 sessions up", "reported; a rank IC above 0.15 would be a bug", _model("direction")),
)
