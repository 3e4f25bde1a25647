"""A web process: `python -m outrider.cli.web PARENT_PID DESCRIPTOR`, started by `processes` only."""

import socket

import uvicorn

from outrider.cli import child

_FINISH_SECONDS = 15


def main() -> None:
    """Answer requests on the socket that all web processes share, until SIGTERM."""
    _settings, (descriptor,) = child.begin()
    config = uvicorn.Config(
        "outrider.asgi:application",
        factory=True,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        timeout_graceful_shutdown=_FINISH_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main()
