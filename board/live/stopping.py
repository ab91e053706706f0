"""Learning that the server is told to stop. uvicorn says so to no application: it waits for the streams, which wait for it."""

import signal


def server_is_stopping() -> bool:
    """Whether the uvicorn that handles the signals of this process is on its way out."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(server, "should_exit", False) is True
