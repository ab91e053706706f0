-- Let no claim be under way in the queue until the transaction ends; see prinia_claim.
SELECT pg_advisory_xact_lock(hashtext('{schema}.pause'), hashtext(CAST(:queue AS text)))
