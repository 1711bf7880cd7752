-- What happened to a key, oldest first.
-- :key text: the key's ARN
-- :since time = 30d: the first moment
-- :until time = now: the last moment
SELECT e.seq, e.time, e.name, e.outcome, e.error_code, e.principal, e.source_ip, e.request_id
FROM event_keys AS k JOIN events AS e ON e.seq = k.seq
WHERE k.key = :key AND k.time_ms BETWEEN :since AND :until
ORDER BY k.seq
