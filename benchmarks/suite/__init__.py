"""What the benchmarks are made of: the measurements, the plan of a run, and its report."""
