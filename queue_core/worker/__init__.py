"""Runs tasks."""

from queue_core.worker.worker import Phase, Worker

__all__ = ["Phase", "Worker"]
