"""One file per queue, all with the same function names: see ``suite.contender``."""
