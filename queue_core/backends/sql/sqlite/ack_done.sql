-- Store the success of running attempts whose leases hold: each of acks is an id, a process life, a token, microseconds and a result.
-- SQLite's own: by one statement, since preparing a change of many indexes costs as much as the change itself.
UPDATE prinia_tasks AS task
SET
  status = 'Done',
  reason = NULL,
  stage = NULL,
  done_at = :now,
  ran_us = json_extract(ack.value, '$[3]'),
  result = CAST(json_extract(ack.value, '$[4]') AS BLOB),
  error = NULL,
  checkpoint = NULL,
  lease = lease + 1
FROM json_each(:acks) AS ack
WHERE task.id = json_extract(ack.value, '$[0]')
  AND task.boot = json_extract(ack.value, '$[1]')
  AND task.lease = json_extract(ack.value, '$[2]')
  AND task.status = 'Running'
RETURNING id, queue, group_name, ran_us
