"""``quant backup`` and ``quant restore``: a home into one file, and back to a path of choice."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from rich.console import Console

from quant_assets.foundation.home import Home
from quant_assets.ops.backup import restore_home, write_backup
from quant_assets.settings import load_settings
from resources.warehouse.run_lock import hold_run_lock

__all__ = ["back_up", "restore"]


def back_up(file: Path | None, *, is_waiting: bool) -> None:
    """Back the home up while no run is going on.

    Parameters
    ----------
    file : Path, optional
        Default ``quant-<time>.tar`` in the present folder.
    is_waiting : bool
        Wait for a run that is going on; otherwise refuse.
    """
    home = Home(load_settings().home)
    now = dt.datetime.now(dt.UTC)
    target = file or Path(f"quant-{now:%Y%m%dT%H%M%S}.tar")
    console = Console()
    home.prepare()
    with hold_run_lock(home, run_id="backup", job="quant backup", wait=is_waiting, report=console.print):
        contents = write_backup(home, target, now=now)
    console.print(
        f"{contents.files} files, {contents.bytes_held / 1e6:,.1f} MB of {home.path} are in {target}", soft_wrap=True
    )
    if (home.path / "replays").exists():
        console.print("Replays are homes of their own and are not in it.")
    console.print(f"Restore with: quant restore {target} --to FOLDER", soft_wrap=True)


def restore(file: Path, target: Path | None) -> None:
    """Restore a backup.

    Parameters
    ----------
    file : Path
    target : Path, optional
        Default the home that QUANT_HOME names.
    """
    folder = target or load_settings().home
    contents = restore_home(file, folder)
    console = Console()
    console.print(
        f"{contents.files} files of {contents.home}, backed up {contents.made_at:%Y-%m-%d %H:%M} UTC, are in {folder}",
        soft_wrap=True,
    )
    console.print(f"Use it with: QUANT_HOME={folder} quant status", soft_wrap=True)
