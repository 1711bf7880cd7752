-- How many different principals used each key; a role stands for all of its sessions.
-- :since time = 30d: the first moment
SELECT k.key, count(DISTINCT coalesce(e.role, e.principal)) AS principals, count(*) AS events,
       max(e.time) AS last
FROM events AS e JOIN event_keys AS k ON k.seq = e.seq
WHERE e.outcome = 'success' AND e.time_ms >= :since
GROUP BY k.key
ORDER BY principals DESC, events DESC, k.key
