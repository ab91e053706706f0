-- What each topic is like: how often its changes were added up, and how many are not yet. It differs whenever something has changed.
SELECT seen.topic, sum(seen.version) || ':' || sum(seen.changes)
FROM (
  SELECT known.topic, known.version, 0 AS changes
  FROM prinia_versions AS known
  UNION ALL
  SELECT coalesce('queue:' || changed.queue, changed.what), 0, 1
  FROM prinia_changes AS changed
  WHERE changed.xid >= (SELECT below FROM prinia_folded)
) AS seen (topic, version, changes)
GROUP BY seen.topic
