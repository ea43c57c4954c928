"""``quant models``: the command line of the model registry; heavy imports happen inside the commands."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

__all__ = ["BY_OPTION", "models_app"]

models_app = typer.Typer(no_args_is_help=True, help="Trained models: list, promote, roll back, delete.")
BY_OPTION = Annotated[str | None, typer.Option(help="Who decides; default the user of this machine.")]
_WHY = Annotated[str, typer.Option("--why", help="Why, for the record.")]
_VERSION = Annotated[str, typer.Argument(help="Version, such as jump-3.")]


@models_app.command("list")
def models_list() -> None:
    """List versions, the alias that each holds, and how it did out of sample."""
    from quant_assets.commands.models import list_models

    list_models()


@models_app.command("promote")
def models_promote(version: _VERSION, why: _WHY, by: BY_OPTION = None) -> None:
    """Make a version champion, whatever the promotion rule says."""
    from quant_assets.commands.models import open_registry, promote_model

    typer.echo(promote_model(open_registry(), version, actor=by or getpass.getuser(), reason=why))


@models_app.command("rollback")
def models_rollback(
    model: Annotated[str, typer.Argument(help="Model, such as jump.")], why: _WHY, by: BY_OPTION = None
) -> None:
    """Make the champion before the present one champion again."""
    from quant_assets.commands.models import open_registry, roll_back_model

    typer.echo(roll_back_model(open_registry(), model, actor=by or getpass.getuser(), reason=why))


@models_app.command("delete")
def models_delete(version: _VERSION, why: _WHY, by: BY_OPTION = None) -> None:
    """Delete a version that is not champion."""
    from quant_assets.commands.models import delete_model, open_registry

    typer.echo(delete_model(open_registry(), version, actor=by or getpass.getuser(), reason=why))
