-- Let workers of one name register one after the other.
SELECT pg_advisory_xact_lock(hashtext('{schema}.worker'), hashtext(CAST(:name AS text)))
