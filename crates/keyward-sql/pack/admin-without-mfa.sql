-- Changes that people and roles made without MFA.
-- :since time = 30d: the first moment
SELECT seq, time, name, principal_type, principal, key, source_ip
FROM events
WHERE read_only = 0 AND outcome = 'success' AND time_ms >= :since
  AND principal_type IN ('Root', 'IAMUser', 'AssumedRole', 'FederatedUser') AND coalesce(mfa, 0) = 0
ORDER BY seq
