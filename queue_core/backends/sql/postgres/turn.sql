-- One turn of a worker; see prinia_turn.
SELECT *
FROM prinia_turn(
  :now, :ids, :boots, :tokens, :statuses, :reasons, :outcomes, :delays, :uses, :rans, :results, :lines, :types, :messages, :tracebacks, :doubted,
  :boot, :queues, :names, :limit, :start, :low_rank, :low_run_at, :low_seq
)
