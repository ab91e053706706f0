-- The server's now, in microseconds.
SELECT prinia_now(NULL)
