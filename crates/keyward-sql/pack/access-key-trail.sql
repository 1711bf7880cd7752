-- Everything that an access key did, oldest first, such as one that was stolen.
-- :access_key text: the access key's id
-- :since time = 30d: the first moment
-- :until time = now: the last moment
SELECT seq, time, name, outcome, error_code, key, source_ip, user_agent, request_id
FROM events
WHERE access_key_id = :access_key AND time_ms BETWEEN :since AND :until
ORDER BY seq
