"""``quant replay serve``: a replay run by hand, until it is interrupted."""

from __future__ import annotations

import datetime as dt
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.replay.clock import ReplayClock
from quant_assets.replay.history import History
from quant_assets.replay.packaged import packaged_history
from quant_assets.replay.server import LOOPBACK, ReplayServer
from quant_assets.replay.synthetic.market import SyntheticHistory

__all__ = ["DEFAULT_PORT", "ServeOptions", "open_history", "serve"]

DEFAULT_PORT = 8765


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What to serve and how; ``symbols``, ``years`` and ``seed`` concern the synthetic market alone.

    ``today`` is the newest session served (by default the history's last); ``plan`` is ``unlimited``, ``free`` or
    requests a minute.
    """

    history: str = "packaged"
    symbols: int = 20
    years: int = 20
    seed: int = 0
    plan: str = "unlimited"
    today: dt.date | None = None
    port: int = DEFAULT_PORT
    host: str = LOOPBACK
    allow_remote: bool = False


def open_history(options: ServeOptions) -> History:
    """The history that the options name.

    Raises
    ------
    ConfigurationError
        For a history other than ``packaged`` and ``synthetic``, or sizes that cannot be had.
    """
    if options.history == "packaged":
        return packaged_history()
    if options.history == "synthetic":
        return SyntheticHistory(seed=options.seed, symbols=options.symbols, years=options.years)
    raise ConfigurationError(f"there is no history named {options.history!r}; choose packaged or synthetic")


def serve(
    options: ServeOptions, *, announce: Callable[[ReplayServer], None], stop: threading.Event | None = None
) -> None:
    """Serve until SIGINT, SIGTERM or ``stop``; call from the main thread unless ``stop`` is given.

    Parameters
    ----------
    options : ServeOptions
    announce : callable
        Called once with the running server, to print its URL.
    stop : Event, optional
        Ends the serving; made here, and set by signals, where it is not given.

    Raises
    ------
    ConfigurationError
        Where the history, the plan, the host or the port cannot be had.
    """
    history = open_history(options)
    clock = ReplayClock.after(options.today or history.last_session)
    server = ReplayServer(
        history,
        plan=options.plan,
        clock=clock,
        host=options.host,
        port=options.port,
        allow_remote=options.allow_remote,
    )
    with server:
        announce(server)
        if stop is not None:
            stop.wait()
        else:
            _wait_for_signal()


def _wait_for_signal() -> None:
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        # A wait without a time-out would not let the handler run on every platform.
        while not ended.wait(0.5):
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
