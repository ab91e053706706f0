"""The socket that the board listens on."""

import socket

import pytest

from board.serve import listening


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_connection_sends_small_answers_at_once(host: str) -> None:
    """Else an answer in two writes waits 40 ms for the reader's acknowledgement of the first."""
    with listening(host, 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
