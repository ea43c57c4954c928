"""A run's event log turned into asset results, read while the run goes on or after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg

from quant_assets.foundation import errors

__all__ = ["AssetResult", "RunEvents"]


@dataclass(frozen=True, slots=True)
class AssetResult:
    """What one asset did in a run.

    ``outcome`` is ``done``, ``failed`` or ``not reached``; ``seconds`` is the wall time of its step (shared by the
    assets of one step); ``metadata`` holds the plain values of the materialisation; ``findings`` the checks that did
    not pass, in words.
    """

    asset: str
    outcome: str = "not reached"
    seconds: float | None = None
    rows: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    findings: tuple[str, ...] = ()


class RunEvents:
    """Reads a run's events in order, from where it left off."""

    def __init__(self, instance: dg.DagsterInstance, run_id: str) -> None:
        self._instance = instance
        self._run_id = run_id
        self._cursor: str | None = None
        self._results: dict[str, AssetResult] = {}
        self._steps: dict[str, list[str]] = {}
        self._started_at: dict[str, float] = {}
        self.first_error = ""
        self.failed_steps: list[str] = []

    def results(self) -> tuple[AssetResult, ...]:
        """Every planned asset as known so far."""
        return tuple(self._results.values())

    def read(self) -> tuple[AssetResult, ...]:
        """Take in the events since the last call; return the assets whose step ended among them."""
        ended: list[AssetResult] = []
        while True:
            page = self._instance.get_records_for_run(self._run_id, cursor=self._cursor)
            for record in page.records:
                ended.extend(self._take(record.event_log_entry))
            self._cursor = page.cursor
            if not page.has_more:
                return tuple(ended)

    def _take(self, entry: dg.EventLogEntry) -> Iterable[AssetResult]:
        event = entry.dagster_event
        if event is None:
            return ()
        kind, step = event.event_type, event.step_key or ""
        if kind is dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED and event.asset_key is not None:
            name = event.asset_key.to_user_string()
            self._results[name] = AssetResult(name)
            self._steps.setdefault(step, []).append(name)
        elif kind is dg.DagsterEventType.STEP_START:
            self._started_at[step] = entry.timestamp
        elif kind is dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key is not None:
            self._note_materialization(entry, event.asset_key.to_user_string())
        elif kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            self._note_check(event.asset_check_evaluation_data)
        elif kind is dg.DagsterEventType.STEP_SUCCESS:
            return self._end(step, entry.timestamp, "done")
        elif kind is dg.DagsterEventType.STEP_FAILURE:
            self._note_error(event.step_failure_data.error)
            self.failed_steps.append(step)
            return self._end(step, entry.timestamp, "failed")
        elif kind is dg.DagsterEventType.RUN_FAILURE and not self.first_error:
            # A run that was marked as failed from outside has no error of its own, only the words of whoever marked it.
            self._note_error(None if event.event_specific_data is None else event.job_failure_data.error)
            self.first_error = self.first_error or event.message or ""
        return ()

    def _note_materialization(self, entry: dg.EventLogEntry, name: str) -> None:
        materialization = entry.asset_materialization
        found = materialization.metadata if materialization else {}
        plain = {key: value for key, value in found.items() if not isinstance(value, dg.MarkdownMetadataValue)}
        values = {key: value.value for key, value in plain.items()}
        known = self._results.get(name, AssetResult(name))
        rows = values.get("dagster/row_count")
        count = rows if isinstance(rows, int) else None
        self._results[name] = replace(known, outcome="done", rows=count, metadata=values)

    def _note_check(self, evaluation: dg.AssetCheckEvaluation) -> None:
        if evaluation.passed:
            return
        name = evaluation.asset_key.to_user_string()
        words = f"{evaluation.check_name}: {evaluation.description or 'did not pass'}"
        known = self._results.get(name, AssetResult(name))
        self._results[name] = replace(known, findings=(*known.findings, words))

    def _note_error(self, error: Any) -> None:
        """Keep the sentence of the first failure: ours, where one of our errors is in the chain of causes."""
        chain = []
        while error is not None:
            chain.append(error)
            error = error.cause
        if chain and not self.first_error:
            told = next((one for one in chain if one.cls_name in errors.__all__), chain[-1])
            # Dagster's message begins with the class and its module.
            self.first_error = str(told.message).strip().split(f"{told.cls_name}: ", 1)[-1]

    def _end(self, step: str, at: float, outcome: str) -> list[AssetResult]:
        seconds = at - self._started_at.get(step, at)
        ended = []
        for name in self._steps.get(step, ()):
            known = self._results[name]
            final = known.outcome if known.outcome == "done" else outcome
            self._results[name] = replace(known, outcome=final, seconds=seconds)
            ended.append(self._results[name])
        return ended
