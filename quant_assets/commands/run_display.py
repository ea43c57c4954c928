"""What a person sees of a run: a live table while it goes on, a summary when it is over."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs.launch import RunResult
from jobs.run_events import AssetResult
from quant_assets.foundation.databases import open_database
from quant_assets.foundation.home import Home

__all__ = ["progress_table", "show_summary"]

_STYLES = {"done": "green", "failed": "red", "not reached": "dim"}
_HIDDEN_METADATA = ("dagster/", "preview", "path", "first_", "last_", "symbols", "seconds", "as_of", "source")

_QUERIES = (
    "SELECT symbol, max(date) AS newest, count(*) AS sessions FROM market_data.adjusted_prices GROUP BY symbol;",
    "SELECT date, close, rsi_14, macd FROM features.feature_store_v1 WHERE symbol = 'IBM' ORDER BY date DESC LIMIT 5;",
    "SELECT published_at, outcome, as_of, source FROM ops.publications ORDER BY published_at DESC;",
)


def progress_table(assets: Sequence[AssetResult]) -> Table:
    """The assets of a running job with what is known of each so far."""
    table = Table(box=None, pad_edge=False)
    for name, justify in (("asset", "left"), ("outcome", "left"), ("rows", "right"), ("seconds", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # rich declares the literal apart
    for asset in assets:
        waiting = asset.outcome == "not reached"
        outcome = "waiting" if waiting else asset.outcome
        table.add_row(asset.asset, f"[{_STYLES[asset.outcome]}]{outcome}[/]", _rows(asset), _seconds(asset))
    return table


def show_summary(console: Console, home: Home, result: RunResult) -> None:
    """Print what the run did and where to look next."""
    table = Table(box=None, pad_edge=False)
    for name, justify in (("asset", "left"), ("outcome", "left"), ("rows", "right"), ("seconds", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # rich declares the literal apart
    table.add_column("notes", overflow="fold")
    for asset in result.assets:
        outcome = f"[{_STYLES[asset.outcome]}]{asset.outcome}[/]"
        table.add_row(asset.asset, outcome, _rows(asset), _seconds(asset), escape(_notes(asset)))
    console.print(table)
    console.print()
    verdict = "[green]succeeded[/]" if result.is_success else "[red]failed[/]"
    console.print(f"{result.job} {verdict} in {result.seconds:.1f} s (run {result.run_id[:8]})")
    if result.first_error:
        console.print(f"Reason: {escape(result.first_error)}")
    _show_coverage(console, home)
    if result.is_success:
        _show_next_steps(console)


def _rows(asset: AssetResult) -> str:
    return "" if asset.rows is None else f"{asset.rows:,}"


def _seconds(asset: AssetResult) -> str:
    return "" if asset.seconds is None else f"{asset.seconds:.1f}"


def _notes(asset: AssetResult) -> str:
    """Key figures first, then the checks that did not pass."""
    figures = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in asset.metadata.items()
        if isinstance(value, str | int | float | bool) and not name.startswith(_HIDDEN_METADATA)
    ]
    return "; ".join([", ".join(figures), *asset.findings]).strip("; ")


def _show_coverage(console: Console, home: Home) -> None:
    if not home.readers_database.exists():
        console.print("Nothing is published yet.")
        return
    with open_database(home.readers_database.resolve(), read_only=True) as connection:
        row = connection.execute(
            "SELECT source, as_of, published_at FROM ops.publications ORDER BY published_at DESC LIMIT 1"
        ).fetchone()
        coverage = connection.execute(
            "SELECT count(DISTINCT symbol), count(DISTINCT date), min(date), max(date) FROM market_data.adjusted_prices"
        ).fetchone()
    if row is None or coverage is None:
        return
    symbols, sessions, first, last = coverage
    console.print(f"Source      {row[0]}")
    console.print(f"Covers      {symbols} symbols, {sessions:,} sessions from {first} to {last}; as of {row[1]}")
    console.print(f"Readers     {home.readers_database} (published {row[2]:%Y-%m-%d %H:%M:%S} UTC)")


def _show_next_steps(console: Console) -> None:
    console.print()
    console.print("Try it from any DuckDB client, opened read-only:")
    for query in _QUERIES:
        console.print(f"  {query}", highlight=False, soft_wrap=True)
    console.print(
        "Next: 'make ui' for the graph and the runs, 'make api' for the API, 'quant status' for freshness and quota."
    )
