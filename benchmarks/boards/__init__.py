"""The board's measurements: stored tasks, the server, pages, viewers."""
