"""Which publication requests read: the newest one, picked up while the server runs.

A new publication is opened and loaded beside the one in use, and taken only when it is ready; requests that began on
the former one end on it. A publication that cannot be opened is left alone and told, and the former one stays.
"""

from __future__ import annotations

import time

import duckdb

from quant_assets.foundation.home import Home
from quant_assets.serving.api.snapshot import Snapshot, open_snapshot

__all__ = ["Publications"]


class Publications:
    """The publication in use and the way to a newer one.

    :meth:`newer` does the work and may run in any thread; :meth:`take` and everything else belong to the event loop.

    Parameters
    ----------
    home : Home
    """

    def __init__(self, home: Home) -> None:
        self._link = home.readers_database
        self.current: Snapshot | None = None
        self.failure: str | None = None
        """Why the newest publication is not the one in use; None where it is."""

    def newer(self) -> Snapshot | None:
        """Open what the symlink points at, where that is not the publication in use.

        Returns
        -------
        Snapshot or None
            None where there is nothing newer, or where it cannot be opened (``failure`` then says why).
        """
        try:
            path = self._link.resolve(strict=True)
        except OSError:
            self.failure = None if self.current is None else f"{self._link.name} is gone"
            return None
        if self.current is not None and path == self.current.path:
            self.failure = None
            return None
        try:
            # The first publication is awaited; a later one is loaded with a third of a core while requests go on.
            snapshot = open_snapshot(path) if self.current is None else open_snapshot(path, _rest_twice_as_long)
        except (duckdb.Error, OSError, ValueError) as error:
            self.failure = f"{path.name} cannot be read: {str(error).splitlines()[0][:160]}"
            return None
        self.failure = None
        return snapshot

    def take(self, snapshot: Snapshot) -> None:
        """Serve from ``snapshot`` from now on."""
        former, self.current = self.current, snapshot
        if former is not None:
            former.retire()

    def close(self) -> None:
        """Close the publication in use."""
        if self.current is not None:
            self.current.retire()
            self.current = None


def _rest_twice_as_long(worked_seconds: float) -> None:
    time.sleep(2 * worked_seconds)
