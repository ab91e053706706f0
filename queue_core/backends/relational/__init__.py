"""The queue's rules told in named SQL statements: what the stores in relational databases share."""
