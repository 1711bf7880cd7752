-- When each key was last used for cryptography: what is safe to disable, and then to delete.
-- :since time = start: how far back to look
WITH touched AS (
    SELECT k.key, e.time, e.time_ms,
           e.outcome = 'success' AND e.name IN (
               'Encrypt', 'Decrypt', 'ReEncrypt', 'GenerateDataKey', 'GenerateDataKeyWithoutPlaintext',
               'GenerateDataKeyPair', 'GenerateDataKeyPairWithoutPlaintext', 'Sign', 'Verify',
               'GenerateMac', 'VerifyMac', 'DeriveSharedSecret', 'Encapsulate', 'Decapsulate') AS is_use
    FROM events AS e JOIN event_keys AS k ON k.seq = e.seq
    WHERE e.time_ms >= :since
)
SELECT key, max(CASE WHEN is_use THEN time END) AS last_use, sum(is_use) AS uses,
       (:now - max(CASE WHEN is_use THEN time_ms END)) / 86400000 AS idle_days, max(time) AS last_event
FROM touched
GROUP BY key
ORDER BY last_use IS NOT NULL, last_use, key
