-- What became of each agent's part of a contact: what a score table is computed from (docs/scores.md).
CREATE OR REPLACE VIEW outcomes AS
WITH 259200000 AS again_ms
SELECT
    talks.contact_id AS contact_id,
    talks.queue AS queue,
    done.customer_segment AS segment,
    talks.agent_id AS agent_id,
    waits.wait_ms AS wait_ms,
    talks.talk_ms + if(done.agent_id = talks.agent_id, done.wrap_up_ms, 0) AS handle_ms,
    talks.result = 'completed' AND done.agent_id = talks.agent_id AND customers.again = 0 AS solved,
    if(done.agent_id = talks.agent_id, done.outcome_value, 0) AS value,
    if(done.agent_id = talks.agent_id, done.disposition, '') AS disposition
FROM (
    SELECT contact_id, toString(segments.queue) AS queue, agent_id, toString(argMax(segments.result, segment)) AS result,
        sum(greatest(0, toUnixTimestamp64Milli(assumeNotNull(ended_at)) - toUnixTimestamp64Milli(started_at))) AS talk_ms
    FROM segments
    WHERE tenant = {tenant:String} AND kind = 'agent'
        AND ended_at >= {from:DateTime64(3, 'UTC')} AND ended_at < {to:DateTime64(3, 'UTC')}
    GROUP BY contact_id, queue, agent_id
) AS talks
INNER JOIN (
    SELECT contact_id, tasks.agent_id AS agent_id, toString(tasks.customer_segment) AS customer_segment,
        outcome_value, tasks.disposition AS disposition,
        greatest(0, toUnixTimestamp64Milli(assumeNotNull(completed_at))
            - toUnixTimestamp64Milli(assumeNotNull(ended_at))) AS wrap_up_ms
    FROM tasks
    WHERE tenant = {tenant:String} AND state = 'completed' AND ended_at >= {from:DateTime64(3, 'UTC')}
    ORDER BY time DESC
    LIMIT 1 BY contact_id
) AS done ON done.contact_id = talks.contact_id
LEFT JOIN (
    SELECT contact_id, toString(segments.queue) AS queue,
        sum(greatest(0, toUnixTimestamp64Milli(assumeNotNull(ended_at)) - toUnixTimestamp64Milli(started_at))) AS wait_ms
    FROM segments
    WHERE tenant = {tenant:String} AND kind = 'queue' AND ended_at IS NOT NULL
    GROUP BY contact_id, queue
) AS waits ON waits.contact_id = talks.contact_id AND waits.queue = talks.queue
LEFT JOIN (
    SELECT contact_id,
        customer_hash != '' AND next_at IS NOT NULL AND ended_at IS NOT NULL
            AND toUnixTimestamp64Milli(assumeNotNull(next_at)) - toUnixTimestamp64Milli(assumeNotNull(ended_at))
                <= again_ms AS again
    FROM (
        SELECT contact_id, customer_hash, ended_at,
            leadInFrame(toNullable(arrived_at)) OVER (
                PARTITION BY customer_hash ORDER BY arrived_at, contact_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next_at
        FROM contacts
        WHERE tenant = {tenant:String} AND arrived_at >= {from:DateTime64(3, 'UTC')} - INTERVAL 1 DAY
    )
) AS customers ON customers.contact_id = talks.contact_id;
