"""``prinia doctor``: what is wrong with a store, and what to do about it."""

from queue_core.cli.doctor.command import run

__all__ = ["run"]
