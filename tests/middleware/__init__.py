"""The middleware that ships: each alone, on every store, and all of it together."""
