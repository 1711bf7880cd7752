-- What the root user did, from where, and with MFA or without.
-- :since time = 30d: the first moment
SELECT name, source_ip, mfa, count(*) AS calls, sum(outcome <> 'success') AS failed,
       min(time) AS first, max(time) AS last
FROM events
WHERE principal_type = 'Root' AND time_ms >= :since
GROUP BY name, source_ip, mfa
ORDER BY calls DESC, name, source_ip, mfa
