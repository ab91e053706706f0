"""Prinia's live board: a Starlette application over the queue's read-and-act contract."""
