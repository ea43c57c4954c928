"""The ``quant`` command: thin, it calls the same functions and jobs as the UI.

Exit codes: 0 done, 1 failed, 2 wrong usage. An error is one plain sentence on stderr that says what to do next; a
traceback only with ``--debug``. Heavy imports happen inside the commands that need them.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from quant_assets.commands.dates import named_date, optional_date
from quant_assets.commands.models_app import BY_OPTION, models_app
from quant_assets.foundation.errors import QuantError

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="A nightly quant research pipeline."
)
replay_app = typer.Typer(
    no_args_is_help=True, help="History served over the vendor's protocol, or lived through night by night."
)
app.add_typer(replay_app, name="replay")
events_app = typer.Typer(no_args_is_help=True, help="What the data-quality sentinel noticed.")
app.add_typer(events_app, name="events")
app.add_typer(models_app, name="models")
alerts_app = typer.Typer(no_args_is_help=True, help="What people were told.")
app.add_typer(alerts_app, name="alerts")


@app.command()
def run(
    job: Annotated[str, typer.Argument(help="The job to run.")] = "nightly",
    as_of: Annotated[str | None, typer.Option(help="Compute as of this session (YYYY-MM-DD).")] = None,
    symbols: Annotated[str | None, typer.Option(help="Fetch only these symbols, such as IBM,MSFT.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with the job's run configuration.")] = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Rebuild derived tables.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Fail if another run is going on.")] = False,
) -> None:
    """Run a job in this process, with live progress."""
    from quant_assets.commands.run import RunRequest, run_job

    request = RunRequest(
        job=job,
        as_of=optional_date(as_of, "--as-of"),
        symbols=tuple(part.strip() for part in symbols.split(",") if part.strip()) if symbols else (),
        config_file=config,
        is_full_refresh=full_refresh,
        is_waiting=not no_wait,
    )
    if not run_job(request):
        raise typer.Exit(1)


@app.command()
def status() -> None:
    """Show freshness, calls saved, quota, the breaker, and the last runs."""
    from quant_assets.commands.status import show_status

    show_status()


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 3000,
    public_address: Annotated[
        str | None, typer.Option(help="What links in alerts begin with, such as https://quant.example.org.")
    ] = None,
) -> None:
    """Start the Dagster UI and daemon on this installation's instance."""
    from quant_assets.commands.ui import start_ui

    raise typer.Exit(start_ui(host, port, public_address=public_address))


@app.command()
def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    requests_per_second: Annotated[float, typer.Option(min=1, help="Most requests of one client.")] = 500,
    quiet: Annotated[bool, typer.Option("--quiet", help="Write no line per request.")] = False,
) -> None:
    """Serve what was published over HTTP, read-only, until interrupted."""
    from quant_assets.commands.api import start_api

    start_api(host=host, port=port, is_logging=not quiet, requests_per_second=requests_per_second)


@app.command()
def backup(
    file: Annotated[Path | None, typer.Argument(help="Where to; default quant-<time>.tar here.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Fail if a run is going on.")] = False,
) -> None:
    """Write the home into one file, with a checksum of everything in it."""
    from quant_assets.commands.backup import back_up

    back_up(file, is_waiting=not no_wait)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What quant backup wrote.")],
    to: Annotated[Path | None, typer.Option(help="A new folder; default QUANT_HOME.")] = None,
) -> None:
    """Put a backed-up home in place, at any path; never over an existing one."""
    from quant_assets.commands.backup import restore as restore_backup

    restore_backup(file, to)


@app.command("import-prices")
def import_prices(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet with daily bars.")],
    symbol: Annotated[
        str | None, typer.Option(help="Symbol, where neither a column nor the file's name has it.")
    ] = None,
    adjusted_for: Annotated[str | None, typer.Option(help="What the prices are adjusted for: none or splits.")] = None,
    adjusted_on: Annotated[str | None, typer.Option(help="Day of the download (YYYY-MM-DD).")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Store without asking.")] = False,
) -> None:
    """Import bars from a file, after a preview of what will change."""
    from quant_assets.commands.import_prices import import_price_file

    on = optional_date(adjusted_on, "--adjusted-on")
    if not import_price_file(file, symbol=symbol, adjusted_for=adjusted_for, adjusted_on=on, is_confirmed=yes):
        raise typer.Exit(1)


@events_app.command("list")
def events_list(
    symbol: Annotated[str | None, typer.Option(help="Only this symbol.")] = None,
    severity: Annotated[str | None, typer.Option(help="Only LOW, MEDIUM or HIGH.")] = None,
    status: Annotated[str | None, typer.Option(help="Only open, acknowledged or dismissed.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
) -> None:
    """List events, newest first."""
    from quant_assets.commands.events import list_events

    list_events(symbol=symbol, severity=severity, status=status, limit=limit)


_IDS = Annotated[list[str], typer.Argument(help="Event ids, or their beginnings.")]
_NOTE = Annotated[str | None, typer.Option(help="Why.")]


@events_app.command("acknowledge")
def events_acknowledge(event_ids: _IDS, by: BY_OPTION = None, note: _NOTE = None) -> None:
    """Say that an event is right: the bar is wrong, and somebody sees to it."""
    from quant_assets.commands.events import decide

    decide(event_ids, status="acknowledged", by=by, note=note)


@events_app.command("dismiss")
def events_dismiss(event_ids: _IDS, by: BY_OPTION = None, note: _NOTE = None) -> None:
    """Say that an event is false: its bar is released, and the pattern is not raised again for the symbol."""
    from quant_assets.commands.events import decide

    decide(event_ids, status="dismissed", by=by, note=note)


@alerts_app.command("list")
def alerts_list(
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
    pending: Annotated[bool, typer.Option("--pending", help="Only what is not delivered yet.")] = False,
) -> None:
    """List alerts, newest first."""
    from quant_assets.commands.alerts import list_alerts

    list_alerts(limit=limit, is_pending_only=pending)


@alerts_app.command("test")
def alerts_test() -> None:
    """Send a test alert to every configured channel."""
    from quant_assets.commands.alerts import send_test_alert

    if not send_test_alert():
        raise typer.Exit(1)


@replay_app.command("serve")
def replay_serve(
    history: Annotated[str, typer.Option(help="packaged or synthetic.")] = "packaged",
    today: Annotated[str | None, typer.Option(help="The newest session served (YYYY-MM-DD).")] = None,
    plan: Annotated[str, typer.Option(help="unlimited, free, or requests per minute.")] = "unlimited",
    symbols: Annotated[int, typer.Option(min=1, max=10_000, help="Synthetic symbols.")] = 20,
    years: Annotated[int, typer.Option(min=1, max=30, help="Synthetic years.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Synthetic seed.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    allow_remote: Annotated[bool, typer.Option("--allow-remote", help="Let other machines reach it.")] = False,
) -> None:
    """Serve packaged or synthetic history over the vendor's protocol until interrupted."""
    from quant_assets.replay.serve import ServeOptions, serve

    newest = optional_date(today, "--today")
    options = ServeOptions(
        history, symbols, years, seed, plan, today=newest, port=port, host=host, allow_remote=allow_remote
    )
    serve(options, announce=lambda server: typer.echo(f"Serving {server.identity} on {server.url} (Ctrl+C stops it)"))


@replay_app.command("nights")
def replay_nights_command(
    first: Annotated[str, typer.Option("--from", help="First night's session (YYYY-MM-DD).")],
    last: Annotated[str, typer.Option("--to", help="Last night's session (YYYY-MM-DD).")],
    keep_alerts: Annotated[bool, typer.Option("--keep-alerts", help="Keep alerts as rows; tell no channel.")] = False,
) -> None:
    """Live through past sessions, one night at a time, with the real job and sensors; goes on where it stopped."""
    from quant_assets.commands.replay_nights import replay_nights

    nights = named_date(first, "--from"), named_date(last, "--to")
    if not replay_nights(*nights, is_telling=not keep_alerts):
        raise typer.Exit(1)


def main() -> None:
    """Entry point of the ``quant`` command."""
    is_debugging = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        code = app(args=arguments, prog_name="quant", standalone_mode=False)
    except typer.Exit as stop:
        code = stop.exit_code
    except typer.TyperException as error:
        _fail(f"{error.format_message().rstrip('.')}; see 'quant --help'.", 2, is_debugging)
    except (typer.Abort, KeyboardInterrupt):
        _fail("Stopped. Nothing is lost: run the same command again.", 1, is_debugging)
    except QuantError as error:
        _fail(str(error), error.exit_code, is_debugging)
    except Exception as error:  # noqa: BLE001 - the border: an unforeseen error still ends in one sentence
        _fail(f"unexpected {type(error).__name__}: {error}; run again with --debug and report it.", 1, is_debugging)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(sentence: str, code: int, is_debugging: bool) -> None:
    if is_debugging:
        traceback.print_exc()
    print(f"quant: {sentence}", file=sys.stderr)  # noqa: T201 - the command's error channel
    raise SystemExit(code) from None


if __name__ == "__main__":
    main()
