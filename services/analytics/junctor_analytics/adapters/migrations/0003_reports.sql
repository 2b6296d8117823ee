-- The figures of docs/metrics.md. The definition is junctor_analytics.domain; a test compares both on the same contacts.

CREATE OR REPLACE VIEW queue_report AS
WITH
    20000 AS default_threshold_ms,
    5000 AS short_abandon_ms
SELECT
    queue,
    countIf(fact = 'wait') AS offered,
    countIf(fact = 'wait' AND result = 'completed') AS answered,
    countIf(fact = 'wait' AND result = 'abandoned') AS abandoned,
    countIf(fact = 'wait' AND result = 'overflowed') AS overflowed,
    if(countIf(counts) = 0, NULL,
        countIf(counts AND result = 'completed' AND duration_ms <= threshold_ms) / countIf(counts)) AS service_level,
    if(answered = 0, NULL, sumIf(duration_ms, fact = 'wait' AND result = 'completed') / answered) AS asa_ms,
    if(handled = 0, NULL, sumIf(duration_ms, fact IN ('talk', 'wrap_up')) / handled) AS aht_ms,
    countIf(fact = 'wait' AND result = 'abandoned' AND duration_ms < short_abandon_ms) AS short_abandoned,
    if(countIf(counts) = 0, NULL, countIf(counts AND result = 'abandoned') / countIf(counts)) AS abandonment,
    countIf(fact = 'talk') AS handled
FROM (
    SELECT
        facts.queue AS queue,
        facts.fact AS fact,
        facts.result AS result,
        facts.duration_ms AS duration_ms,
        if(targets.service_level_ms > 0, targets.service_level_ms, default_threshold_ms) AS threshold_ms,
        fact = 'wait' AND result IN ('completed', 'abandoned', 'overflowed', 'failed')
            AND NOT (result = 'abandoned' AND duration_ms < short_abandon_ms) AS counts
    FROM (
        SELECT toString(segments.queue) AS queue, 'wait' AS fact, toString(segments.result) AS result,
            if(ended_at IS NULL, 0,
                greatest(0, toUnixTimestamp64Milli(assumeNotNull(ended_at)) - toUnixTimestamp64Milli(started_at)))
                AS duration_ms
        FROM segments
        WHERE tenant = {tenant:String} AND kind = 'queue'
            AND started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
        UNION ALL
        SELECT toString(segments.queue) AS queue, 'talk' AS fact, '' AS result,
            greatest(0, toUnixTimestamp64Milli(assumeNotNull(ended_at)) - toUnixTimestamp64Milli(started_at)) AS duration_ms
        FROM segments
        WHERE tenant = {tenant:String} AND kind = 'agent'
            AND ended_at >= {from:DateTime64(3, 'UTC')} AND ended_at < {to:DateTime64(3, 'UTC')}
        UNION ALL
        SELECT toString(tasks.queue) AS queue, 'wrap_up' AS fact, '' AS result,
            greatest(0, toUnixTimestamp64Milli(assumeNotNull(completed_at))
                - toUnixTimestamp64Milli(assumeNotNull(ended_at))) AS duration_ms
        FROM tasks
        WHERE tenant = {tenant:String} AND state = 'completed'
            AND ended_at >= {from:DateTime64(3, 'UTC')} AND ended_at < {to:DateTime64(3, 'UTC')}
    ) AS facts
    LEFT JOIN (
        SELECT queue, service_level_ms FROM queues WHERE tenant = {tenant:String}
    ) AS targets ON targets.queue = facts.queue
    WHERE facts.queue != ''
)
GROUP BY queue
ORDER BY queue;

CREATE OR REPLACE VIEW agent_report AS
SELECT
    agent_id,
    sum(ended_here) AS handled,
    sumIf(until_ms - since_ms, fact = 'talk') AS talk_ms,
    sumIf(until_ms - since_ms, fact = 'wrap_up') AS wrap_up_ms,
    intervalLengthSumIf(since_ms, until_ms, fact IN ('talk', 'wrap_up')) AS busy_ms,
    intervalLengthSumIf(since_ms, until_ms, fact = 'ready') AS ready_ms,
    if(intervalLengthSum(since_ms, until_ms) = 0, NULL,
        intervalLengthSumIf(since_ms, until_ms, fact IN ('talk', 'wrap_up')) / intervalLengthSum(since_ms, until_ms))
        AS occupancy
FROM (
    SELECT agent_id, fact, ended_here,
        least(greatest(begun, low), high) AS since_ms,
        greatest(since_ms, least(ifNull(ended, high), high)) AS until_ms
    FROM (
        SELECT agent_id, 'talk' AS fact, toUnixTimestamp64Milli(started_at) AS begun,
            toUnixTimestamp64Milli(ended_at) AS ended,
            toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')}) AS low,
            toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')}) AS high,
            ifNull(ended >= low AND ended < high, 0) AS ended_here
        FROM segments
        WHERE tenant = {tenant:String} AND kind = 'agent' AND started_at < {to:DateTime64(3, 'UTC')}
            AND (ended_at IS NULL OR ended_at >= {from:DateTime64(3, 'UTC')})
        UNION ALL
        SELECT agent_id, 'wrap_up' AS fact, toUnixTimestamp64Milli(assumeNotNull(tasks.ended_at)) AS begun,
            toUnixTimestamp64Milli(completed_at) AS ended,
            toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')}) AS low,
            toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')}) AS high,
            0 AS ended_here
        FROM tasks
        WHERE tenant = {tenant:String} AND state = 'completed' AND tasks.ended_at < {to:DateTime64(3, 'UTC')}
            AND completed_at >= {from:DateTime64(3, 'UTC')}
        UNION ALL
        SELECT agent_id, 'ready' AS fact, toUnixTimestamp64Milli(started_at) AS begun,
            toUnixTimestamp64Milli(ended_at) AS ended,
            toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')}) AS low,
            toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')}) AS high,
            0 AS ended_here
        FROM agent_states
        WHERE tenant = {tenant:String} AND state = 'ready' AND started_at < {to:DateTime64(3, 'UTC')}
            AND (ended_at IS NULL OR ended_at >= {from:DateTime64(3, 'UTC')})
    )
)
WHERE agent_id != '' AND (until_ms > since_ms OR ended_here)
GROUP BY agent_id
ORDER BY agent_id;

CREATE OR REPLACE VIEW contact_timeline AS
SELECT time, service, type, data, event_id, void
FROM events
WHERE tenant = {tenant:String} AND contact_id = {contact:String}
ORDER BY time, service, sequence, log_offset;
