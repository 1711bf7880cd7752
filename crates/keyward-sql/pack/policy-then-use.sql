-- A key policy or grant was made, and within an hour somebody used the key who never had: who let whom in.
-- :since time = 7d: the first moment of a change
-- :window span = 1h: how soon after the change
-- :history time = start: how far back an earlier use counts
WITH uses AS MATERIALIZED (
    SELECT e.seq, e.time_ms, e.time, e.name, coalesce(e.role, e.principal) AS who, k.key
    FROM events AS e JOIN event_keys AS k ON k.seq = e.seq
    WHERE e.outcome = 'success' AND e.time_ms >= :history
), firsts AS MATERIALIZED (
    SELECT who, key, min(seq) AS seq, time_ms, time, name FROM uses GROUP BY who, key
)
SELECT c.seq, c.time, c.name AS change, c.who AS changed_by, c.key,
       f.who AS used_by, f.name AS used, f.time AS used_time
FROM uses AS c JOIN firsts AS f
  ON f.key = c.key AND f.seq > c.seq AND f.time_ms BETWEEN c.time_ms AND c.time_ms + :window
WHERE c.name IN ('PutKeyPolicy', 'CreateGrant') AND c.time_ms >= :since
ORDER BY c.seq, f.seq, c.key, f.who
