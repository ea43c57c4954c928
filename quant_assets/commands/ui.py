"""``quant ui``: the Dagster UI and daemon on this installation's instance."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import dagster as dg

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.ops.instance_folder import prepare_instance_folder
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.ui_links import checked_address, remember_ui, served_address
from quant_assets.runtime import prepare_environment, universe_for
from quant_assets.settings import load_settings
from resources.warehouse import fail_stuck_runs
from sensors.failure_alerts import raise_failure_alerts

__all__ = ["start_ui"]


def start_ui(host: str, port: int, *, public_address: str | None = None) -> int:
    """Run the UI until it is interrupted; return its exit code, which is 1 where it ended by itself.

    Parameters
    ----------
    host : str
        Address to listen on.
    port : int
    public_address : str, optional
        What people reach it by, such as ``https://quant.example.org`` of a proxy; links in alerts begin with it.

    Raises
    ------
    ConfigurationError
        Where the port is in use, or the settings, the universe or the public address are wrong.
    """
    address = served_address(host, port) if public_address is None else checked_address(public_address)
    settings = load_settings()
    universe_for(settings)
    home = prepare_environment(settings)
    prepare_instance_folder(home)
    _check_port(host, port)
    remember_ui(OperationsStore(home.operations), address)
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        for run_id in fail_stuck_runs(instance, home):
            print(f"Run {run_id} was left running by a process that is gone; it is marked as failed.")  # noqa: T201 - for the person at the terminal
        # A daemon that never came to its first look does not see what failed before; its sensors deliver these.
        raise_failure_alerts(instance, home, now=dt.datetime.now(dt.UTC))
    print(f"Dagster UI on {address} (Ctrl+C stops it)")  # noqa: T201 - for the person at the terminal
    command = [
        *(sys.executable, "-m", "dagster", "dev"),
        *("--workspace", str(_workspace()), "--host", host, "--port", str(port), "--log-level", "warning"),
    ]
    # Whoever stops this process means the web server and the daemon too: a service manager sends SIGTERM, and a shell
    # that starts it in the background makes it, and what it starts, deaf to SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    process = subprocess.Popen(command, env=os.environ | {"PYTHONWARNINGS": "ignore"})  # noqa: S603 - our own command line
    try:
        process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait()
        return 0
    # Dagster ends with 0 where its daemon or web server died; whoever keeps this service up has to know.
    print("quant: the UI ended by itself, see the messages above; start it again.", file=sys.stderr)  # noqa: T201 - the command's error channel
    return 1


def _workspace() -> Path:
    """The workspace file of this checkout."""
    return Path(__file__).parents[2] / "workspace.yaml"


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"{host}:{port} cannot be used ({error.strerror}); choose another with 'quant ui --port 3001'."
            ) from None
