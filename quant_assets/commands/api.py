"""``quant api``: the read-only HTTP API on this machine."""

from __future__ import annotations

import ipaddress
import logging
import socket
import sys

import uvicorn

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.foundation.home import Home
from quant_assets.serving.api.access_log import write_line
from quant_assets.serving.api.application import create_application
from quant_assets.serving.api.options import ApiOptions
from quant_assets.settings import load_settings

__all__ = ["api_options", "start_api"]

_LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_KEEP_ALIVE_SECONDS = 30
_GRACE_SECONDS = 10


def api_options(host: str, tokens: str | None, *, requests_per_second: float) -> ApiOptions:
    """Options of a server on ``host``.

    Parameters
    ----------
    host : str
        Address to listen on.
    tokens : str, optional
        ``QUANT_API_TOKENS``, separated by commas.

    Raises
    ------
    ConfigurationError
        Where other machines could reach it and no token is set.
    """
    accepted = tuple(part.strip() for part in (tokens or "").split(",") if part.strip())
    if any(not token.isascii() or not token.isprintable() for token in accepted):
        raise ConfigurationError("QUANT_API_TOKENS holds a token with signs that a header cannot carry; use letters.")
    if not accepted and not _is_local(host):
        raise ConfigurationError(
            f"--host {host} lets other machines in; set QUANT_API_TOKENS first, or listen on 127.0.0.1."
        )
    # Without tokens only this machine's own names are served: a web page cannot borrow the browser to read along.
    hosts = () if accepted else _LOCAL_HOSTS
    return ApiOptions(tokens=accepted, hosts=hosts, requests_per_second=requests_per_second)


def start_api(*, host: str, port: int, is_logging: bool, requests_per_second: float) -> None:
    """Serve until interrupted.

    Raises
    ------
    ConfigurationError
        Where the address cannot be used, or is open to others without a token.
    """
    settings = load_settings()
    tokens = settings.quant_api_tokens.get_secret_value() if settings.quant_api_tokens else None
    options = api_options(host, tokens, requests_per_second=requests_per_second)
    listener = _listener(host, port)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("quant.api").setLevel(logging.INFO)
    application = create_application(Home(settings.home), options, log=write_line if is_logging else None)
    configuration = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    shown = f"[{host}]" if ":" in host else host
    print(  # noqa: T201 - for the person at the terminal
        f"Read-only API on http://{shown}:{listener.getsockname()[1]} (reference at /docs; Ctrl+C stops it)", flush=True
    )
    try:
        uvicorn.Server(configuration).run(sockets=[listener])
    except KeyboardInterrupt:
        return
    finally:
        listener.close()


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"{host}:{port} cannot be used ({error.strerror}); choose another with 'quant api --port 8001'."
        ) from None
    return listener
