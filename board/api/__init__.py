"""The JSON API: the seed board's routes and shapes, and Prinia's own beside them."""
