"""The replay server: the application on a loopback port, in a thread of its own.

It starts and stops in milliseconds, so a run can bring its own and every test can have one.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import socket
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quant_assets.foundation.errors import ConfigurationError, StorageError
from quant_assets.replay.answers import Answers
from quant_assets.replay.application import LoggedRequest, ReplayApplication
from quant_assets.replay.clock import ReplayClock
from quant_assets.replay.faults import Faults
from quant_assets.replay.history import History
from quant_assets.replay.plans import parse_plan

if TYPE_CHECKING:
    from uvicorn._types import ASGIApplication

__all__ = ["LOOPBACK", "ReplayServer"]

LOOPBACK = "127.0.0.1"
_LOOPBACK_HOSTS = (LOOPBACK, "localhost", "::1")
_START_SECONDS = 10.0
_KEEP_ALIVE_SECONDS = 300
_BACKLOG = 1024


class _Connection(HttpToolsProtocol):
    """Hands the transport to the application, which needs it to break a connection on purpose."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport


class _Server(uvicorn.Server):
    """A server that stops at once: no polling, no waiting for slow replies."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.is_up.set()
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            cast("_Connection", connection).transport.abort()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        """Ask the loop to stop, from any thread."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)


class ReplayServer:
    """A server that speaks the vendor's protocol over a history; a context manager.

    Parameters
    ----------
    history : History
    plan : str
        ``unlimited``, ``free`` or requests a minute of a premium plan, such as ``75``.
    clock : ReplayClock, optional
        Where "today" stands; by default the morning after the history's last session.
    host : str
        Loopback, unless ``allow_remote``.
    port : int
        0 takes a free one.
    faults : Faults, optional
        Rules to start with.
    partial_bars : bool
        Serve the unfinished bar of a running session, as the vendor's realtime plans do.
    allow_remote : bool
        Accept a host that other machines can reach. There is no authentication.

    Raises
    ------
    ConfigurationError
        On entering, where the port is taken; at once, where the host or the plan cannot be had.
    """

    def __init__(
        self,
        history: History,
        *,
        plan: str = "unlimited",
        clock: ReplayClock | None = None,
        host: str = LOOPBACK,
        port: int = 0,
        faults: Faults | None = None,
        partial_bars: bool = False,
        allow_remote: bool = False,
    ) -> None:
        if host not in _LOOPBACK_HOSTS and not allow_remote:
            raise ConfigurationError(
                f"the replay server has no authentication and listens on loopback alone, not on {host}; "
                f"use --host {LOOPBACK} or add --allow-remote"
            )
        self.history = history
        self.clock = clock or ReplayClock.after(history.last_session)
        self.faults = faults or Faults()
        self._address = (host, port)
        self._application = ReplayApplication(
            Answers(history, self.clock, partial_bars=partial_bars),
            identity=history.identity,
            plan=parse_plan(plan),
            clock=self.clock,
            faults=self.faults,
        )
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """The endpoint, ``/query`` included."""
        host, port = self._address
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/query"

    @property
    def identity(self) -> str:
        """Name of the history served."""
        return self.history.identity

    @property
    def requests(self) -> list[LoggedRequest]:
        """Calls received, oldest first; may be cleared."""
        return self._application.requests

    def now(self) -> dt.datetime:
        """Where the clock stands, in UTC."""
        return self.clock.now()

    def start(self) -> Self:
        """Bind the port and serve in a thread of its own.

        Raises
        ------
        ConfigurationError
            Where the port is taken or the host cannot be bound.
        StorageError
            Where the server thread dies before it serves.
        """
        listener = _bind(*self._address)
        self._address = (self._address[0], int(listener.getsockname()[1]))
        config = uvicorn.Config(
            cast("ASGIApplication", self._application),
            http=_Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            backlog=_BACKLOG,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._serve, args=(listener,), name="replay-server", daemon=True)
        self._thread.start()
        if not self._server.is_up.wait(_START_SECONDS) or self._failure is not None:
            self.stop()
            raise StorageError(f"the replay server did not start ({self._failure}); try again") from self._failure
        return self

    def stop(self) -> None:
        """Close every connection and the port, and wait for the thread."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join(_START_SECONDS)
        self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve(self, listener: socket.socket) -> None:
        server = self._server
        if server is None:
            return
        try:
            server.run(sockets=[listener])
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits for the start
            self._failure = error
            server.is_up.set()
        finally:
            listener.close()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"port {port} on {host} is in use; stop the program that listens there or choose another port"
            ) from None
        raise ConfigurationError(
            f"the replay server cannot listen on {host}:{port} ({error.strerror}); choose another host or port"
        ) from None
    return listener
