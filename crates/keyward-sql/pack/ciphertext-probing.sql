-- Bursts of ciphertexts, MACs or signatures that did not hold: somebody tries out what opens.
-- :since time = 7d: the first moment
-- :window span = 10m: how long a burst is
-- :least number = 5: the fewest failures that are reported
SELECT principal, strftime('%Y-%m-%dT%H:%M:%SZ', time_ms / :window * :window / 1000, 'unixepoch') AS from_time,
       count(*) AS failures, count(DISTINCT key) AS keys, count(DISTINCT source_ip) AS addresses
FROM events
WHERE error_code IN ('InvalidCiphertextException', 'IncorrectKeyException',
                     'KMSInvalidMacException', 'KMSInvalidSignatureException')
  AND time_ms >= :since
GROUP BY principal, time_ms / :window
HAVING failures >= :least
ORDER BY failures DESC, principal, from_time
