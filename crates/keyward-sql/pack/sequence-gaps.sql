-- Where event numbers are missing, or time runs backwards: over a whole store neither should be.
-- !one account sees its own events alone, and the others' numbers as missing
-- :since time = start: the first moment
-- :slack span = 60s: how far time may run backwards
WITH steps AS (
    SELECT seq, time, time_ms, lag(seq) OVER log AS before_seq, lag(time_ms) OVER log AS before_ms
    FROM events
    WHERE time_ms >= :since
    WINDOW log AS (ORDER BY seq)
)
SELECT before_seq AS after_seq, seq AS before_seq, seq - before_seq - 1 AS missing, time,
       max(0, before_ms - time_ms) AS backwards_ms
FROM steps
WHERE seq > before_seq + 1 OR time_ms < before_ms - :slack
ORDER BY seq
