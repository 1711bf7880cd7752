-- The grants that were made under a grant, the grants that it was made under, and what ended them.
-- Which grant allowed what is policy text: it needs keyward:ExplainDecision.
-- :grant text: the grant's id
WITH RECURSIVE made AS MATERIALIZED (
    SELECT seq, time, grant_id, used_grant, key, coalesce(role, principal) AS made_by,
           json_extract(parameters, '$.granteePrincipal') AS grantee
    FROM events
    WHERE name = 'CreateGrant' AND outcome = 'success'
), ended AS MATERIALIZED (
    SELECT grant_id, min(seq), name, time
    FROM events
    WHERE name IN ('RevokeGrant', 'RetireGrant') AND outcome = 'success'
    GROUP BY grant_id
), below(depth, seq, grant_id) AS (
    SELECT 0, seq, grant_id FROM made WHERE grant_id = :grant
    UNION
    SELECT b.depth + 1, m.seq, m.grant_id
    FROM below AS b JOIN made AS m ON m.used_grant = b.grant_id AND m.seq > b.seq
), above(depth, seq, used_grant) AS (
    SELECT 0, seq, used_grant FROM made WHERE grant_id = :grant
    UNION
    SELECT a.depth - 1, m.seq, m.used_grant
    FROM above AS a JOIN made AS m ON m.grant_id = a.used_grant AND m.seq < a.seq
)
SELECT c.depth, m.seq, m.time, m.grant_id, m.used_grant AS made_under, m.made_by, m.grantee, m.key,
       e.name AS ended_by, e.time AS ended
FROM (SELECT depth, seq FROM below UNION SELECT depth, seq FROM above) AS c
JOIN made AS m ON m.seq = c.seq
LEFT JOIN ended AS e ON e.grant_id = m.grant_id
ORDER BY c.depth, m.seq
