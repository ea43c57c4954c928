"""Where an alert leads in the UI: paths with the row, made addresses when the alert is told.

A row keeps the path alone, such as ``/runs/<id>``, since the UI may be served elsewhere by the time somebody reads.
``quant ui`` remembers its address in the operations store; where none ever ran, links name the default address and say
how to open it.
"""

from __future__ import annotations

import re
import socket
from dataclasses import replace

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.ops.ports import AlertDetails
from quant_assets.ops.replay_home import replayed_session
from quant_assets.ops.store import OperationsStore

__all__ = [
    "DEFAULT_ADDRESS",
    "RUNS_LINK",
    "asset_link",
    "checked_address",
    "opened_details",
    "remember_ui",
    "run_link",
    "served_address",
]

DEFAULT_ADDRESS = "http://127.0.0.1:3000"
"""What ``quant ui`` serves on unless told otherwise."""

RUNS_LINK = "/runs"
"""Path of the list of runs."""

_FACT = "ui_address"
_EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 - compared with, never bound to
_ADDRESS = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~%/-]+)?"
)


def run_link(run_id: str) -> str:
    """Path of a run's page; empty without a run."""
    return f"/runs/{run_id}" if run_id else ""


def asset_link(table: str) -> str:
    """Path of the page of the asset that makes a table, such as ``signals.drift_reports``."""
    return f"/assets/{table.replace('.', '/')}"


def served_address(host: str, port: int) -> str:
    """Address of a UI that listens on ``host``; this machine's name where that is every address of the machine."""
    name = socket.gethostname() if host in _EVERYWHERE else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def checked_address(text: str) -> str:
    """The address by which people reach the UI, such as that of a proxy, without a slash at its end.

    Raises
    ------
    ConfigurationError
        Where it is no plain web address.
    """
    address = text.strip().rstrip("/")
    if not _ADDRESS.fullmatch(address):
        raise ConfigurationError(
            f"{text!r} is no address of the UI; write it as https://quant.example.org, without user and parameters."
        )
    return address


def remember_ui(store: OperationsStore, address: str) -> None:
    """Note under which address the UI of this home is served."""
    store.remember(_FACT, address)


def opened_details(store: OperationsStore, details: AlertDetails) -> AlertDetails:
    """Details with the whole address instead of a path, and with how to open it where no UI has ever run."""
    if not details.link.startswith("/"):
        return details
    known = store.fact(_FACT)
    hint = "" if known else f"Where it does not open: {_command(store)}"
    return replace(details, link=f"{known or DEFAULT_ADDRESS}{details.link}", link_hint=hint)


def _command(store: OperationsStore) -> str:
    return f"QUANT_HOME={store.path.parent} quant ui" if replayed_session(store) else "make ui"
