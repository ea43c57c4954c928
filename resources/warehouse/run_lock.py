"""The run lock: one run at a time writes the warehouse, whoever launched it.

An OS lock (``flock``) on ``run.lock`` guarantees it: the kernel frees it when its process dies, however it dies.
Beside it every run keeps a locked marker file of its own from its start to its end, waiting included, so that a
run whose process is gone can be told from one that waits.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from quant_assets.foundation.errors import RunLockedError, StorageError
from quant_assets.foundation.home import Home

__all__ = ["hold_run_lock", "is_run_alive", "lock_holder"]

_POLL_SECONDS = 0.2
_REMIND_SECONDS = 60.0


def _open_locked(path: Path) -> int | None:
    """File descriptor of ``path`` with an exclusive lock, or None where another process holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageError(f"{path} cannot be opened ({error.strerror}); check permissions and free space.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def lock_holder(home: Home) -> str | None:
    """Who holds the run lock, in words; None where it is free."""
    if not home.run_lock.exists():
        return None
    descriptor = _open_locked(home.run_lock)
    if descriptor is not None:
        os.close(descriptor)
        return None
    try:
        holder = json.loads(home.run_lock.read_text(encoding="utf-8"))
        return f"run {holder['run_id']} of {holder['job']} (process {holder['pid']}, since {holder['since']})"
    except (OSError, ValueError, KeyError):
        return "a run that is just starting"


def is_run_alive(home: Home, run_id: str) -> bool | None:
    """Whether the process of ``run_id`` lives; None where the run left no marker (it has not come that far)."""
    marker = home.live_runs / run_id
    if not marker.exists():
        return None
    descriptor = _open_locked(marker)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


@contextmanager
def hold_run_lock(home: Home, *, run_id: str, job: str, wait: bool, report: Callable[[str], None]) -> Iterator[None]:
    """Hold the run lock for the block.

    Parameters
    ----------
    home : Home
    run_id, job : str
        Written into the lock file, so that whoever waits can name the holder.
    wait : bool
        Wait for the lock where it is taken; otherwise raise.
    report : callable
        Told in one sentence, at once and then every minute, what the run is waiting for.

    Raises
    ------
    RunLockedError
        Where the lock is taken and ``wait`` is false.
    """
    marker = home.live_runs / run_id
    marker_descriptor = _open_locked(marker)
    try:
        descriptor = _open_locked(home.run_lock)
        reminded_at = -_REMIND_SECONDS
        while descriptor is None:
            holder = lock_holder(home)
            if not wait:
                raise RunLockedError(f"the warehouse is in use by {holder}; try again when it has ended.")
            if holder and time.monotonic() - reminded_at >= _REMIND_SECONDS:
                report(f"Waiting for {holder} to end.")
                reminded_at = time.monotonic()
            time.sleep(_POLL_SECONDS)
            descriptor = _open_locked(home.run_lock)
        try:
            since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
            holder_text = json.dumps({"run_id": run_id, "job": job, "pid": os.getpid(), "since": since})
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, holder_text.encode(), 0)
            yield
        finally:
            os.close(descriptor)
    finally:
        marker.unlink(missing_ok=True)
        if marker_descriptor is not None:
            os.close(marker_descriptor)
