-- Store how attempts ended; see prinia_ack.
SELECT held, ended, worked, touched
FROM prinia_ack(
  :now, :ids, :boots, :tokens, :statuses, :reasons, :outcomes, :delays, :unused, :rans, :results,
  :lines, :types, :messages, :tracebacks, :doubted
)
