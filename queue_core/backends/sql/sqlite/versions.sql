-- How often each topic has changed.
SELECT topic, version
FROM prinia_versions
