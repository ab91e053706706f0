"""Prinia's live board: a Starlette application over the queue's read-and-act contract."""

from board.app import Board, Server

__all__ = ["Board", "Server"]
