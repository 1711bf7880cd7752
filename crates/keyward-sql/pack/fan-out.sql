-- Who used an operation on how many different keys in an hour.
-- :operation text = Decrypt: the operation
-- :since time = 7d: the first moment
-- :least number = 5: the fewest keys that are reported
SELECT coalesce(e.role, e.principal) AS who,
       strftime('%Y-%m-%dT%H:00:00Z', e.time_ms / 3600000 * 3600, 'unixepoch') AS hour,
       count(DISTINCT k.key) AS keys, count(DISTINCT e.seq) AS calls
FROM events AS e JOIN event_keys AS k ON k.seq = e.seq
WHERE e.name = :operation AND e.time_ms >= :since
GROUP BY who, hour
HAVING count(DISTINCT k.key) >= :least
ORDER BY keys DESC, who, hour
