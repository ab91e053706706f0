-- Prepare for many new tasks that are copied into the table; see prinia_make_room.
SELECT pushed_at, seqs, named
FROM prinia_make_room(:now, :queues, :ns)
