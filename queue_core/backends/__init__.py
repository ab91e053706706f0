"""The stores that Prinia comes with."""
