"""``prinia demo``: a small world on one machine. Two workers, a producer, real files, honest failures, and the board."""
