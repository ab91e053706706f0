"""Stands for the published suite; see conftest.py."""
