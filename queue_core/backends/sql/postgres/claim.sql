-- Lease due tasks; see prinia_claim.
SELECT *
FROM prinia_claim(:now, :boot, :queues, :names, :limit, :start, :low_rank, :low_run_at, :low_seq)
