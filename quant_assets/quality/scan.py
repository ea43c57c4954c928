"""The sentinel's night: score the bars that are new or restated, decide what is withheld, and say why.

One function over frames, so that a full back-scan, a night with one new session and a test are the same code. Bars
are taken quarter by quarter: at the first session of each quarter the thresholds are calibrated and the Isolation
Forest is fitted on what was there before; Prophet fits fall on each symbol's own fixed dates. A scan of the whole
history therefore gives every bar the scores that a run on its night would have given it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.quality.bar_measures import measured_against
from quant_assets.quality.bar_vintage import VINTAGE_COLUMNS
from quant_assets.quality.event_records import ACKNOWLEDGED, DISMISSED
from quant_assets.quality.findings import FINDINGS_SCHEMA, Severity
from quant_assets.quality.gate_records import GatePath
from quant_assets.quality.holes import hole_findings
from quant_assets.quality.isolation_detector import quarter_start
from quant_assets.quality.jump_rules import JumpVerdict
from quant_assets.quality.muting import MutedPatterns
from quant_assets.quality.repeats import repeat_findings
from quant_assets.quality.scan_detectors import Detectors, prophet_scores
from quant_assets.quality.scan_gate import PanelGate
from quant_assets.quality.scan_outcome import WITHHELD_SCHEMA, ScanFindings, scan_outcome
from quant_assets.quality.scan_preparation import PreparedBars, prepare_bars
from quant_assets.quality.scan_state import ScanInput, ScanResult, ScanSettings, SentinelState
from quant_assets.quality.severity import score_findings
from quant_assets.quality.tables import BAR_SCORES
from quant_assets.quality.thresholds import PRICE_QUIET

__all__ = ["scan_bars"]

_KEYS = ["symbol", "date"]
_VOLUME_SETTLES = dt.timedelta(days=92)
"""A missed split moves the volume for good; after a quarter its trailing median has followed."""


def scan_bars(scan: ScanInput, state: SentinelState, settings: ScanSettings | None = None) -> ScanResult:
    """Score every bar that was not scored in its present vintage, and settle what earlier nights left open.

    Parameters
    ----------
    scan : ScanInput
        Bars, corporate actions and the clock.
    state : SentinelState
        What earlier nights stored; empty on the first.
    settings : ScanSettings, optional

    Returns
    -------
    ScanResult
        Rows to merge. The same input and state give the same result; a second scan with the result merged gives
        nothing.

    Notes
    -----
    What is said about a bar of session t uses bars up to t (and corporate actions as listed today). What later bars
    show about it goes into ``confirmations`` and ``released_at``, with the session that showed it.
    """
    muted = MutedPatterns.from_events(state.events)
    prepared = prepare_bars(scan, state.scores, muted)
    detectors = Detectors(scan.calendar, settings or ScanSettings(), state)
    repeats = _unmuted(repeat_findings(prepared.measures), muted)
    measures = detectors.with_expected_steps(_with_stale(prepared.measures, repeats))
    panel = _Panel(
        calendar=scan.calendar,
        measures=measures,
        certain=_certain_findings(scan.calendar, prepared, repeats),
        impossible=prepared.impossible,
        detectors=detectors,
        gate=PanelGate.from_state(measures, state, muted, scan.splits_asked),
        muted=muted,
        excluded=_known_wrong(state),
        scored=[state.scores.drop(VINTAGE_COLUMNS).join(prepared.pending, on=_KEYS, how="anti")],
    )
    dates = sorted({*panel.gate.pending_dates(), *prepared.pending["date"].to_list()})
    for refit_date, first, last in _quarters(dates, scan.calendar):
        panel.scan_quarter(refit_date, first, last)
    return scan_outcome(scan, state, panel.findings(prepared.pending), detectors, panel.gate)


def _quarters(dates: Sequence[dt.date], calendar: TradingCalendar) -> Iterator[tuple[dt.date, dt.date, dt.date]]:
    """Refit date, first and last of the dates, for each quarter that has some."""
    groups: dict[dt.date, list[dt.date]] = {}
    for date in dates:
        groups.setdefault(quarter_start(date, calendar), []).append(date)
    for refit_date, members in groups.items():
        yield refit_date, members[0], members[-1]


def _unmuted(findings: pl.DataFrame, muted: MutedPatterns) -> pl.DataFrame:
    keys = findings.select("symbol", "pattern", "magnitude").iter_rows()
    is_quiet = [muted.muted_by(symbol, pattern, magnitude) is not None for symbol, pattern, magnitude in keys]
    return findings.filter(~pl.Series(is_quiet, dtype=pl.Boolean))


def _with_stale(measures: pl.DataFrame, repeats: pl.DataFrame) -> pl.DataFrame:
    """Flag bars that are withheld as repeats: nothing is to be compared with them."""
    stale = repeats.filter(pl.col("severity") == Severity.HIGH.value).select(_KEYS).unique()
    flags = stale.with_columns(pl.lit(value=True).alias("is_stale"))
    joined = measures.join(flags, on=_KEYS, how="left", maintain_order="left")
    return joined.with_columns(pl.col("is_stale").fill_null(value=False))


def _certain_findings(calendar: TradingCalendar, prepared: PreparedBars, repeats: pl.DataFrame) -> pl.DataFrame:
    """Findings of the rules on pending bars, with the session that showed them."""
    on_bars = pl.concat([prepared.impossible, repeats]).with_columns(pl.col("date").alias("known_date"))
    found = pl.concat([on_bars, hole_findings(prepared.measures, calendar)])
    shown = prepared.pending.select("symbol", pl.col("date").alias("known_date"))
    return found.join(shown, on=["symbol", "known_date"], how="semi")


def _known_wrong(state: SentinelState) -> pl.DataFrame:
    """Bars that no calibration or fit should learn from: withheld or acknowledged, unless dismissed."""
    acknowledged = state.events.filter(pl.col("status") == ACKNOWLEDGED).select(_KEYS)
    dismissed = state.events.filter(pl.col("status") == DISMISSED).select(_KEYS)
    known = pl.concat([state.quarantined.select(_KEYS), acknowledged]).unique()
    return known.join(dismissed, on=_KEYS, how="anti")


@dataclass(slots=True)
class _Panel:
    """Everything that the quarters of one scan share."""

    calendar: TradingCalendar
    measures: pl.DataFrame
    certain: pl.DataFrame
    impossible: pl.DataFrame
    detectors: Detectors
    gate: PanelGate
    muted: MutedPatterns
    excluded: pl.DataFrame
    scored: list[pl.DataFrame]
    raised: list[pl.DataFrame] = field(default_factory=list)
    withheld: list[pl.DataFrame] = field(default_factory=list)
    new_scores: list[pl.DataFrame] = field(default_factory=list)

    def scan_quarter(self, refit_date: dt.date, first: dt.date, last: dt.date) -> None:
        """Score and judge the pending bars of one quarter."""
        thresholds = self.detectors.thresholds_at(refit_date, self.scored, self.excluded)
        walked = self.gate.walk(first, last, thresholds.at(PRICE_QUIET, Severity.HIGH))
        within = pl.col("date").is_between(first, last)
        rows = self.measures.filter(pl.col("is_pending") & within)
        rows = measured_against(rows, _references(walked), self.measures)
        scores = self._with_scores(rows, refit_date)
        certain = self.certain.filter(pl.col("known_date").is_between(first, last)).drop("known_date")
        jumps = _findings((symbol, path.verdicts) for symbol, path in walked).join(rows, on=_KEYS, how="semi")
        decided = pl.concat(
            [jumps.select(_KEYS), _muted_bars(walked), certain.filter(pl.col("severity") == "HIGH").select(_KEYS)]
        )
        judged = _judged(scores, decided, _fresh_levels(walked))
        quiet = _findings((symbol, path.muted) for symbol, path in walked)
        found = pl.concat([certain, jumps, quiet, score_findings(judged, thresholds)])
        found = self._with_mutes(found)
        raised = found.filter(pl.col("muted_by").is_null()).drop("muted_by")
        withheld = self._withheld(raised, walked, certain)
        self.raised.append(raised)
        self.withheld.append(withheld)
        later = pl.DataFrame(
            [(symbol, date) for symbol, path in walked for date in path.hindsight],
            schema={"symbol": pl.String, "date": pl.Date},
            orient="row",
        )
        self.excluded = pl.concat([self.excluded, withheld.select(_KEYS), later]).unique()
        complete = _score_rows(scores, found, withheld)
        self.scored.append(complete)
        self.new_scores.append(complete)

    def _with_scores(self, rows: pl.DataFrame, refit_date: dt.date) -> pl.DataFrame:
        if rows.is_empty():
            return rows.with_columns(
                pl.lit(None, dtype=pl.Float64).alias("isolation_score"),
                pl.lit(None, dtype=pl.Float64).alias("prophet_score"),
            )
        forest = self.detectors.forest_at(refit_date, self.measures, self.excluded)
        isolation = forest.score(rows) if forest else pl.Series("isolation_score", [None] * len(rows), dtype=pl.Float64)
        return rows.with_columns(isolation, prophet_scores(rows))

    def _with_mutes(self, found: pl.DataFrame) -> pl.DataFrame:
        muted_by = [
            self.muted.muted_by(symbol, pattern, magnitude)
            for symbol, pattern, magnitude in found.select("symbol", "pattern", "magnitude").iter_rows()
        ]
        return found.with_columns(pl.Series("muted_by", muted_by, dtype=pl.String))

    def _withheld(
        self, raised: pl.DataFrame, walked: Sequence[tuple[str, GatePath]], certain: pl.DataFrame
    ) -> pl.DataFrame:
        """Bars withheld on their night; an impossible one also where its alarm is muted."""
        by_rule = pl.concat(
            [
                raised.join(certain, on=[*_KEYS, "kind"], how="semi").filter(pl.col("severity") == Severity.HIGH.value),
                certain.join(self.impossible, on=[*_KEYS, "kind"], how="semi"),
            ]
        ).select("symbol", "date", pl.col("date").alias("event_date"), "kind", pl.col("details").alias("reason"))
        by_gate = pl.DataFrame(
            [
                (symbol, entry.date, entry.event_date, entry.kind, entry.reason)
                for symbol, path in walked
                for entry in path.withheld.values()
            ],
            schema=WITHHELD_SCHEMA,
            orient="row",
        )
        return pl.concat([by_rule, by_gate]).unique(_KEYS, keep="first", maintain_order=True)

    def findings(self, pending: pl.DataFrame) -> ScanFindings:
        """What the quarters found, with a row of scores for every pending bar."""
        # A bar whose level a later quarter names has its scores from its own, and what withholds it from the later one.
        scores = pl.concat([pl.DataFrame(schema=_SCORE_SCHEMA), *self.new_scores]).unique(_KEYS, keep="first")
        return ScanFindings(
            scores=pending.join(scores, on=_KEYS, how="left").with_columns(
                # A bar without measures is one that no rule let pass.
                pl.col("is_withheld").fill_null(value=True)
            ),
            raised=pl.concat([pl.DataFrame(schema=FINDINGS_SCHEMA), *self.raised]),
            withheld=pl.concat([pl.DataFrame(schema=WITHHELD_SCHEMA), *self.withheld]).unique(
                _KEYS, keep="last", maintain_order=True
            ),
        )


_SCORE_SCHEMA = {name: dtype for name, dtype in BAR_SCORES.polars_schema.items() if name not in VINTAGE_COLUMNS}


def _references(walked: Sequence[tuple[str, GatePath]]) -> pl.DataFrame:
    rows = [(symbol, date, other) for symbol, path in walked for date, other in path.reference.items()]
    schema = {"symbol": pl.String, "date": pl.Date, "reference_date": pl.Date}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _findings(verdicts: Iterable[tuple[str, Mapping[dt.date, JumpVerdict]]]) -> pl.DataFrame:
    """The gate's verdicts per symbol as findings."""
    rows = [
        (symbol, date, verdict.kind, Severity.HIGH.value, verdict.details, verdict.pattern, verdict.magnitude)
        for symbol, by_date in verdicts
        for date, verdict in by_date.items()
    ]
    return pl.DataFrame(rows, schema=FINDINGS_SCHEMA, orient="row")


def _muted_bars(walked: Sequence[tuple[str, GatePath]]) -> pl.DataFrame:
    """Bars whose verdict a dismissal kept quiet."""
    rows = [(symbol, date) for symbol, path in walked for date in path.muted]
    return pl.DataFrame(rows, schema={"symbol": pl.String, "date": pl.Date}, orient="row")


def _fresh_levels(walked: Sequence[tuple[str, GatePath]]) -> pl.DataFrame:
    """Bars withheld at a level that is newer than the window of their volume scale."""
    rows = [
        (symbol, date)
        for symbol, path in walked
        for date, entry in path.withheld.items()
        if dt.timedelta(0) < date - entry.event_date < _VOLUME_SETTLES
    ]
    return pl.DataFrame(rows, schema={"symbol": pl.String, "date": pl.Date}, orient="row")


def _judged(scores: pl.DataFrame, decided: pl.DataFrame, fresh_levels: pl.DataFrame) -> pl.DataFrame:
    """Flag bars that a certain rule or the gate has spoken on, and those whose volume cannot be judged yet."""
    for name, keys in (("is_judged", decided), ("is_fresh_level", fresh_levels)):
        flags = keys.unique().with_columns(pl.lit(value=True).alias(name))
        scores = scores.join(flags, on=_KEYS, how="left", maintain_order="left")
    return scores.with_columns(pl.col("is_judged", "is_fresh_level").fill_null(value=False))


def _score_rows(scores: pl.DataFrame, found: pl.DataFrame, withheld: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``quality.bar_scores`` without the vintage: scores with the bar's severity; impossible bars too."""
    levels = pl.Enum([level.value for level in Severity])
    highest = found.group_by(_KEYS).agg(
        pl.col("severity").filter(pl.col("muted_by").is_null()).cast(levels).max().cast(pl.String),
        pl.col("muted_by").drop_nulls().first(),
    )
    flags = withheld.select(*_KEYS, pl.lit(value=True).alias("is_withheld"))
    bars = pl.concat([scores.select(_KEYS), withheld.select(_KEYS)]).unique()
    columns = [name for name in _SCORE_SCHEMA if name in scores.columns]
    return (
        bars.join(scores.select(columns), on=_KEYS, how="left")
        .join(highest, on=_KEYS, how="left")
        .join(flags, on=_KEYS, how="left")
        .with_columns(pl.col("is_withheld").fill_null(value=False))
        .select(list(_SCORE_SCHEMA))
        .cast(pl.Schema(_SCORE_SCHEMA))
        .sort(_KEYS)
    )
