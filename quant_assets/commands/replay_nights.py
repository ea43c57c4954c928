"""``quant replay nights``: history lived through night by night, with the real job and the real sensors.

One process, one home of its own. Each night the replay's clock stands at 06:00 New York after its session, the nightly
job runs, every sensor is evaluated with its own cursor, and the runs that sensors ask for are executed; then the night
is written into the record. A night that was not completed is lived through again by the next start.
"""

from __future__ import annotations

import datetime as dt
import gc
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import dagster as dg
from rich.console import Console

from jobs.launch import RunResult, launch
from jobs.run_events import RunEvents
from quant_assets.commands.kept_open import events_kept_open, events_not_awaited
from quant_assets.foundation.calendar import TradingCalendar, new_york_calendar
from quant_assets.foundation.databases import open_database
from quant_assets.foundation.errors import RunLockedError, UsageError
from quant_assets.foundation.home import Home
from quant_assets.ops.instance_folder import prepare_instance_folder
from quant_assets.ops.replay_home import begin_replayed_session, keep_to_itself, without_mark
from quant_assets.ops.run_tags import AS_OF_TAG
from quant_assets.ops.store import OperationsStore
from quant_assets.replay.clock import ReplayClock
from quant_assets.replay.night_facts import night_of, outcomes_of, predictions_of
from quant_assets.replay.night_record import NightRecord
from quant_assets.replay.nights import Night, NightsPlan, diary_line, plan_nights
from quant_assets.replay.packaged import PACKAGED_TODAY, packaged_history
from quant_assets.runtime import alert_channels, prepare_environment, universe_for
from quant_assets.settings import Settings, load_settings
from resources.warehouse.run_lock import lock_holder

__all__ = ["replay_nights"]

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_ROUNDS = 3
"""Times that the sensors look at one night: a run that one of them asked for may give another something to say."""

_FAILURES_IN_A_ROW = 3
"""Failed nights after which the replay stops: the cause will not go away by itself."""

_RUN_KEY_TAG, _SENSOR_TAG = "dagster/run_key", "dagster/sensor_name"
"""Tags by which the UI knows what a sensor launched."""


def replay_nights(first: dt.date, last: dt.date, *, is_telling: bool = True, console: Console | None = None) -> bool:
    """Live through the nights from ``first`` to ``last`` and print a diary; True where none failed.

    Parameters
    ----------
    first, last : date
        Any dates; nights are the sessions among them.
    is_telling : bool
        Deliver alerts to the channels that are set, marked with the replayed session; otherwise they stay rows.
    console : Console, optional

    Raises
    ------
    UsageError
        Where the dates cannot be had, or a vendor's key or an MLflow server is set.
    RunLockedError
        Where this replay is already going on in another process.
    """
    console = console or Console(highlight=False, markup=False, soft_wrap=True)
    settings = load_settings()
    if not settings.is_embedded:
        raise UsageError("quant replay nights lives on the embedded history; unset ALPHA_VANTAGE_API_KEY for it.")
    if settings.mlflow_tracking_uri:
        raise UsageError(
            "quant replay nights would replace the model versions of the MLflow server with its own; unset "
            "MLFLOW_TRACKING_URI for it."
        )
    universe_for(settings)
    calendar = new_york_calendar()
    plan = plan_nights(first, last, calendar, earliest=_first_session(settings), latest=PACKAGED_TODAY)
    home = _prepare(settings, plan)
    keep_to_itself(OperationsStore(home.operations), is_silent=not is_telling)
    record = NightRecord(home.path / "record.duckdb")
    console.print(f"Replay of {plan.sessions[0]} to {plan.sessions[-1]} ({len(plan.sessions)} nights) in {home.path}")
    console.print(f"Look at it with: QUANT_HOME={home.path} quant ui")
    if channels := ", ".join(channel.name for channel in alert_channels(settings)) if is_telling else "":
        console.print(f"Alerts go to {channels}; their subjects begin with [replay] and the session.")
    is_well = _live_through(_Replay(home, record, calendar), plan, console)
    _print_proof(record, console)
    return is_well


def _first_session(settings: Settings) -> dt.date:
    """First session of the market, or of whatever begins first where the universe names none."""
    universe, history = universe_for(settings), packaged_history()
    names = [universe.market] if universe.market else universe.names
    starts = [history.bars(name).item(0, "date") for name in names if name in history.symbols()]
    if not starts:
        raise UsageError("the universe names no symbol of the embedded history; see universe.yaml in the repository.")
    first: dt.date = min(starts)
    return first


def _prepare(settings: Settings, plan: NightsPlan) -> Home:
    folder = settings.home / "replays" / plan.folder
    home = prepare_environment(settings.model_copy(update={"quant_home": folder}))
    prepare_instance_folder(home)
    if holder := lock_holder(home):
        raise RunLockedError(f"{folder} is in use by {holder}; wait for it, or stop it and start again.")
    # Dagster prints every event at DEBUG and the vendor's client every refusal; the diary says what matters.
    for name in ("dagster", "resources.alpha_vantage"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return home


def _live_through(replay: _Replay, plan: NightsPlan, console: Console) -> bool:
    done = replay.record.done()
    for line in done.values():
        console.print(line, style="dim")
    todo = [session for session in (plan.eve, *plan.sessions) if session not in done]
    if todo and todo[0] == plan.eve:
        console.print(f"{plan.eve}  the eve: the history up to it, and the first models (a minute or two)")
    failures = 0
    with replay.opened():
        for session in todo:
            night = replay.live(session)
            console.print(diary_line(night))
            if session == todo[0]:
                # A full collection walks all that the libraries loaded: half a second, in every second night.
                gc.collect()
                gc.freeze()
            failures = failures + 1 if night.error else 0
            if failures == _FAILURES_IN_A_ROW:
                console.print(f"Stopped after {failures} failed nights in a row; mend the cause and start again.")
                break
    return replay.record.failed() == 0


def _print_proof(record: NightRecord, console: Console) -> None:
    proof = record.proof()
    verdict = (
        "each written before" if not proof.too_late else f"{proof.too_late} NOT written before its outcome existed"
    )
    words = f"{verdict} its outcome existed" if not proof.too_late else verdict
    console.print(f"{proof.predictions} predictions, {proof.decided} with an outcome: {words} ({record.path})")


@dataclass
class _Replay:
    """A replay that is going on: its Dagster instance, jobs, and the cursor of each sensor."""

    home: Home
    record: NightRecord
    calendar: TradingCalendar
    instance: dg.DagsterInstance = field(init=False)
    definitions: dg.Definitions = field(init=False)
    cursors: dict[str, str | None] = field(init=False)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Load the definitions once, for all nights of this process."""
        from quant_assets.definitions import defs  # noqa: PLC0415 - they read the environment that was set just now

        self.definitions = defs()
        self.cursors = self.record.cursors()
        with events_not_awaited(self.home), dg.DagsterInstance.from_config(str(self.home.dagster)) as self.instance:
            yield

    def live(self, session: dt.date) -> Night:
        """Live through one night and write it into the record."""
        begun, clock = time.monotonic(), ReplayClock.after(session).now()
        since = self.record.start(session, clock, _now())
        begin_replayed_session(OperationsStore(self.home.operations), session)
        if not self.cursors:
            self._sense({}, [])  # a run status sensor begins with the first run after its first tick
        result = self._launch("nightly", session, {})
        if result.is_success:
            self._note_predictions(session, clock)
        launched: list[str] = []
        errors: dict[str, str] = {}
        for _ in range(_ROUNDS):
            requests: list[tuple[str, dg.RunRequest]] = []
            self._sense(errors, requests)
            launched += [self._execute(name, request, session) for name, request in requests]
            if not requests:
                break
        night = self._night(session, clock, since)
        night = replace(
            night,
            error="" if result.is_success else result.first_error or "no reason was recorded",
            alerts=self._alerts(since),
            launched=tuple(launched),
            sensor_errors=tuple(f"{name} ({reason})" for name, reason in errors.items()),
            seconds=time.monotonic() - begun,
        )
        self.record.end(night, run_id=result.run_id, now=_now(), cursors=self.cursors)
        return night

    def _launch(self, job: str, session: dt.date, tags: dict[str, str]) -> RunResult:
        run_id = str(uuid.uuid4())
        RunEvents(self.instance, run_id).read()  # makes the file of the run's events, so that it can be kept open
        with events_kept_open(self.home, run_id):
            return launch(
                self.definitions.resolve_job_def(job),
                instance=self.instance,
                run_config=_QUIET,
                tags={AS_OF_TAG: session.isoformat(), "quant/launched_by": "quant replay nights"} | tags,
                run_id=run_id,
            )

    def _sense(self, errors: dict[str, str], requests: list[tuple[str, dg.RunRequest]]) -> None:
        """Evaluate every sensor once, as the daemon does: one that raises keeps its cursor and stops no other."""
        for sensor in self.definitions.sensors or ():
            if not isinstance(sensor, dg.SensorDefinition):
                continue
            cursor = self.cursors.get(sensor.name)
            try:
                with dg.build_sensor_context(
                    instance=self.instance, cursor=cursor, sensor_name=sensor.name, definitions=self.definitions
                ) as context:
                    answer = sensor.evaluate_tick(context)
            except Exception as error:  # noqa: BLE001 - what a daemon shows as a failed tick
                errors[sensor.name] = str(error.__cause__ or error).strip().splitlines()[0]
                continue
            self.cursors[sensor.name] = answer.cursor
            requests += [(sensor.name, request) for request in answer.run_requests or ()]

    def _execute(self, sensor: str, request: dg.RunRequest, session: dt.date) -> str:
        """Execute a run that a sensor asked for, once per run key; returns the job and how it ended."""
        job = request.job_name or self.definitions.resolve_sensor_def(sensor).job_name or ""
        tags = {**request.tags, _SENSOR_TAG: sensor}
        if request.run_key:
            tags[_RUN_KEY_TAG] = request.run_key
            succeeded = dg.RunsFilter(tags={_RUN_KEY_TAG: request.run_key}, statuses=[dg.DagsterRunStatus.SUCCESS])
            if self.instance.get_runs(filters=succeeded, limit=1):
                return f"{job} (before)"
        result = self._launch(job, session, tags)
        return f"{job} ({'done' if result.is_success else f'failed: {result.first_error}'})"

    def _note_predictions(self, session: dt.date, clock: dt.datetime) -> None:
        waiting = self.record.waiting(session)
        with open_database(self.home.readers_database.resolve(), read_only=True) as connection:
            made = predictions_of(connection, self.calendar, session=session, clock=clock, now=_now())
            came = outcomes_of(connection, waiting)
        self.record.note_predictions(made)
        self.record.note_outcomes(came)

    def _night(self, session: dt.date, clock: dt.datetime, since: dt.datetime) -> Night:
        if not self.home.readers_database.exists():
            return Night(session)
        with open_database(self.home.readers_database.resolve(), read_only=True) as connection:
            return night_of(connection, session=session, clock=clock, since=since)

    def _alerts(self, since: dt.datetime) -> tuple[str, ...]:
        rows = OperationsStore(self.home.operations).query(
            "SELECT subject FROM alerts WHERE created_at >= ? ORDER BY created_at, alert_id",
            (since.astimezone(dt.UTC).isoformat(),),
        )
        # The line begins with the session; the mark would repeat it.
        return tuple(without_mark(row["subject"]) for row in rows)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
