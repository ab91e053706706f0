"""Pages that change by themselves: each distinct view is asked and rendered once per change, for all who look at it."""
