-- Who looked at many keys in an hour: somebody finds out what there is.
-- :since time = 7d: the first moment
-- :least number = 5: the fewest keys that are reported
SELECT coalesce(e.role, e.principal) AS who,
       strftime('%Y-%m-%dT%H:00:00Z', e.time_ms / 3600000 * 3600, 'unixepoch') AS hour,
       count(DISTINCT k.key) AS keys, count(DISTINCT e.seq) AS calls,
       count(DISTINCT CASE WHEN e.outcome = 'denied' THEN e.seq END) AS denied
FROM events AS e JOIN event_keys AS k ON k.seq = e.seq
WHERE e.name IN ('DescribeKey', 'GetKeyLastUsage', 'GetKeyPolicy', 'GetKeyRotationStatus', 'GetPublicKey',
                 'ListGrants', 'ListKeyPolicies', 'ListKeyRotations', 'ListKeyVersions', 'ListResourceTags',
                 'WhoCan')
  AND e.time_ms >= :since
GROUP BY who, hour
HAVING count(DISTINCT k.key) >= :least
ORDER BY keys DESC, who, hour
