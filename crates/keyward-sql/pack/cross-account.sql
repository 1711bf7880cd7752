-- Keys that were asked for by principals of another account.
-- :since time = 30d: the first moment
SELECT e.principal_account, coalesce(e.role, e.principal) AS who, k.key, e.name, e.outcome,
       count(*) AS calls, min(e.time) AS first, max(e.time) AS last
FROM events AS e JOIN event_keys AS k ON k.seq = e.seq
WHERE e.time_ms >= :since AND instr(k.key, ':' || e.principal_account || ':key/') = 0
GROUP BY e.principal_account, who, k.key, e.name, e.outcome
ORDER BY calls DESC, e.principal_account, who, k.key, e.name, e.outcome
