-- Keys whose deletion was scheduled and not cancelled since.
-- :since time = 30d: the first moment of a schedule
SELECT s.seq, s.time, s.key, s.principal, s.source_ip,
       json_extract(s.parameters, '$.pendingWindowInDays') AS days
FROM events AS s
WHERE s.name = 'ScheduleKeyDeletion' AND s.outcome = 'success' AND s.time_ms >= :since
  AND NOT EXISTS (
      SELECT 1 FROM events AS c
      WHERE c.name = 'CancelKeyDeletion' AND c.outcome = 'success' AND c.key = s.key AND c.seq > s.seq)
ORDER BY s.seq
