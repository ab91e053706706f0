"""Prinia's live board: a Starlette application over the queue's read-and-act contract."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from board.app import Board, Server

__all__ = ["Board", "Server"]


def __getattr__(name: str) -> Any:
    """Bring the web framework only when the board is used: ``prinia --help`` and workers do without."""
    if name in __all__:
        import board.app

        return getattr(board.app, name)
    raise AttributeError(f"module 'board' has no attribute {name!r}")
