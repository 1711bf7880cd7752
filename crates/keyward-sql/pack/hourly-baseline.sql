-- Hours with far more calls of an operation than the same hour of the week had in the weeks before.
-- :operation text = Decrypt: the operation
-- :since time = 1d: the first moment, taken to its hour
-- :weeks number = 4: the weeks to compare with
-- :factor number = 3: how many times as many are far more
-- :least number = 10: fewer calls in an hour are never reported
WITH counts AS (
    SELECT time_ms / 3600000 AS hour, count(*) AS calls
    FROM events
    WHERE name = :operation AND time_ms >= (:since / 3600000 - 168 * :weeks) * 3600000
    GROUP BY hour
)
SELECT strftime('%Y-%m-%dT%H:00:00Z', c.hour * 3600, 'unixepoch') AS hour, c.calls,
       coalesce(sum(b.calls), 0) * 1.0 / :weeks AS usual
FROM counts AS c
LEFT JOIN counts AS b ON b.hour < c.hour AND b.hour >= c.hour - 168 * :weeks AND (c.hour - b.hour) % 168 = 0
WHERE c.hour >= :since / 3600000 AND c.calls >= :least
GROUP BY c.hour
HAVING c.calls > :factor * coalesce(sum(b.calls), 0) * 1.0 / :weeks
ORDER BY c.hour
