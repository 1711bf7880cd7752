-- Keys whose deletion was scheduled and not cancelled since.
-- :since time = 30d: the first moment of a schedule
WITH cancelled AS MATERIALIZED (
    SELECT key, max(seq) AS seq
    FROM events
    WHERE name = 'CancelKeyDeletion' AND outcome = 'success'
    GROUP BY key
)
SELECT s.seq, s.time, s.key, s.principal, s.source_ip,
       json_extract(s.parameters, '$.pendingWindowInDays') AS days
FROM events AS s LEFT JOIN cancelled AS c ON c.key = s.key
WHERE s.name = 'ScheduleKeyDeletion' AND s.outcome = 'success' AND s.time_ms >= :since
  AND (c.seq IS NULL OR c.seq < s.seq)
ORDER BY s.seq
