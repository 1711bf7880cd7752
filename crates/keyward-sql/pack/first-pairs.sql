-- Who used which key for the first time ever since a moment; a role stands for all of its sessions.
-- :since time = 7d: the moment
-- :history time = start: how far back an earlier use counts
SELECT coalesce(e.role, e.principal) AS who, k.key, min(e.seq) AS seq, e.time, e.name, e.source_ip
FROM events AS e JOIN event_keys AS k ON k.seq = e.seq
WHERE e.outcome = 'success' AND e.time_ms >= :history
GROUP BY who, k.key
HAVING min(e.time_ms) >= :since
ORDER BY min(e.seq), who, k.key
