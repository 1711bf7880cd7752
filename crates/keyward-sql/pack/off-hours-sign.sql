-- Signatures and MACs that were made at night or at a weekend, in UTC.
-- :since time = 7d: the first moment
-- :from_hour number = 7: the first hour of a working day
-- :to_hour number = 19: the hour when it ends
SELECT seq, time, name, outcome, principal, key, source_ip
FROM events
WHERE name IN ('Sign', 'GenerateMac') AND time_ms >= :since
  AND (time_ms / 3600000 % 24 NOT BETWEEN :from_hour AND :to_hour - 1
       OR strftime('%w', time_ms / 1000, 'unixepoch') IN ('0', '6'))
ORDER BY seq
