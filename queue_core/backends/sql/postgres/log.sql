-- Keep what running attempts logged; see prinia_log.
SELECT *
FROM prinia_log(:now, :kept, :ids, :boots, :tokens, :leases, :numbers, :ats, :levels, :loggers, :messages)
