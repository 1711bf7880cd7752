-- Credentials that were known before a moment, and since then come from an address that they never came from.
-- :since time = 7d: the moment
-- :history time = start: how far back an earlier use counts
WITH seen AS (
    SELECT access_key_id, source_ip, min(time_ms) AS first_ms, min(time) AS first, count(*) AS events
    FROM events
    WHERE access_key_id IS NOT NULL AND time_ms >= :history
    GROUP BY access_key_id, source_ip
), known AS (
    SELECT access_key_id, min(first_ms) AS first_ms FROM seen GROUP BY access_key_id
)
SELECT s.access_key_id, s.source_ip, s.first, s.events
FROM seen AS s JOIN known AS k ON k.access_key_id = s.access_key_id
WHERE s.first_ms >= :since AND k.first_ms < :since
ORDER BY s.first_ms, s.access_key_id, s.source_ip
