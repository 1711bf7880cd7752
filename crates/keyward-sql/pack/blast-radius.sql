-- What a compromised principal reached: keys, and the encryption contexts that it used them with.
-- :who text: the ARN of a principal or of a role, or an access key's id
-- :since time = 30d: the first moment
-- :until time = now: the last moment
SELECT k.key, e.encryption_context, count(*) AS calls,
       group_concat(DISTINCT e.name ORDER BY e.name) AS operations,
       min(e.time) AS first, max(e.time) AS last
FROM events AS e JOIN event_keys AS k ON k.seq = e.seq
WHERE :who IN (e.principal, e.role, e.access_key_id)
  AND e.outcome = 'success' AND e.time_ms BETWEEN :since AND :until
GROUP BY k.key, e.encryption_context
ORDER BY calls DESC, k.key, e.encryption_context
