"""Prinia's queue: durable background tasks for Python."""
