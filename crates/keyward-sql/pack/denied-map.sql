-- Who was denied what, how often, and on how many keys.
-- :since time = 7d: the first moment
-- :until time = now: the last moment
SELECT e.principal, e.name, e.error_code,
       count(DISTINCT e.seq) AS attempts, count(DISTINCT k.key) AS keys,
       min(e.time) AS first, max(e.time) AS last
FROM events AS e LEFT JOIN event_keys AS k ON k.seq = e.seq
WHERE e.outcome = 'denied' AND e.time_ms BETWEEN :since AND :until
GROUP BY e.principal, e.name, e.error_code
ORDER BY attempts DESC, e.principal, e.name, e.error_code
