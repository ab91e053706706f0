-- Count a change of the topic, so that watchers in other processes see which topic it was.
INSERT INTO prinia_versions (topic, version)
VALUES (:topic, 1)
ON CONFLICT (topic) DO UPDATE SET
  version = prinia_versions.version + 1
RETURNING version
