-- What analysts read: each event, contact, segment ... once, however often it came.

-- Of each partition that changed its leading site: the newest site epoch known, then the one that it names up to the cut, and
-- so on to the oldest that is named. An entry between is void unless its epoch is in `epochs` and its sequence not above
-- that epoch's in `lasts`. Told anew with each site epoch that becomes known.
CREATE OR REPLACE VIEW chains AS
SELECT
    service AS of_service,
    journal_partition AS of_partition,
    begun[1].1 AS newest,
    chain.1 AS oldest,
    arrayPushBack(chain.3, chain.1) AS epochs,
    arrayPushBack(chain.4, chain.2) AS lasts
FROM (
    SELECT service, journal_partition, begun,
        arrayFold(
            (known, one) -> if(one.1 = known.1,
                (one.2, one.3, arrayPushBack(known.3, one.1), arrayPushBack(known.4, known.2)), known),
            begun,
            (begun[1].1, toInt64(9223372036854775807), emptyArrayUInt64(), emptyArrayInt64())) AS chain
    FROM (
        SELECT service, journal_partition,
            arrayReverseSort(groupArray((site_epoch, previous_site_epoch, cut_sequence))) AS begun
        FROM site_epoch_rows FINAL
        GROUP BY service, journal_partition
    )
);

CREATE OR REPLACE VIEW events AS
SELECT time, tenant, site, service, type, contact_id, event_id, journal_partition, sequence, log_offset, data, inserted_at,
    site_epoch,
    newest > 0 AND site_epoch BETWEEN oldest AND newest AND sequence > lasts[indexOf(epochs, site_epoch)] AS void
FROM event_rows FINAL
ANY LEFT JOIN chains ON of_service = service AND of_partition = journal_partition;

CREATE OR REPLACE VIEW contacts AS
SELECT tenant, contact_id, channel, direction, entry_point, arrived_at, ended_at, closed_at, cause, disposition, site,
    detail, customer_hash, journey_id, previous_contact_id
FROM contact_rows FINAL;

CREATE OR REPLACE VIEW segments AS
SELECT tenant, contact_id, segment, kind, queue, agent_id, started_at, ended_at, result, channel, flow, reservation_id
FROM segment_rows FINAL;

-- What follows is decided by the router: void decisions are left out.
CREATE OR REPLACE VIEW tasks AS
SELECT tenant, contact_id, agent_id, queue, channel, assigned_at, ended_at, completed_at, state, disposition, cause,
    waited_ms, time, event_id, outcome_value, customer_segment
FROM task_rows FINAL
ANY LEFT JOIN (SELECT * FROM chains WHERE of_service = 'router') AS chains ON of_partition = journal_partition
WHERE NOT (newest > 0 AND site_epoch BETWEEN oldest AND newest AND sequence > lasts[indexOf(epochs, site_epoch)]);

CREATE OR REPLACE VIEW agent_states AS
SELECT tenant, agent_id, state, max(row_reason) AS reason, max(row_session) AS session, started_at,
    max(row_ended_at) AS ended_at
FROM (
    SELECT tenant, agent_id, state, reason AS row_reason, session AS row_session, started_at, ended_at AS row_ended_at
    FROM agent_state_rows FINAL
    ANY LEFT JOIN (SELECT * FROM chains WHERE of_service = 'router') AS chains ON of_partition = journal_partition
    WHERE NOT (newest > 0 AND site_epoch BETWEEN oldest AND newest AND sequence > lasts[indexOf(epochs, site_epoch)])
)
GROUP BY tenant, agent_id, state, started_at;

-- A recording goes on in this order; what came last in it is its state.
CREATE OR REPLACE VIEW recordings AS
SELECT tenant, contact_id,
    if(state = 'erased', '', argMax(row_path, (row_path != '', rank, time))) AS path,
    max(row_duration_ms) AS duration_ms,
    max(row_bytes) AS bytes,
    max(row_sha256) AS sha256,
    argMax(row_state, (rank, time)) AS state,
    recording_id,
    max(row_agent_id) AS agent_id,
    max(row_queue) AS queue,
    argMax(row_reason, (rank, time)) AS reason,
    min(time) AS requested_at
FROM (
    SELECT tenant, contact_id, recording_id, time, state AS row_state, path AS row_path, duration_ms AS row_duration_ms,
        bytes AS row_bytes, sha256 AS row_sha256, agent_id AS row_agent_id, queue AS row_queue, reason AS row_reason,
        indexOf(['requested', 'recording', 'failed', 'sealed', 'erased'], row_state) AS rank
    FROM recording_rows FINAL
)
GROUP BY tenant, contact_id, recording_id;

CREATE OR REPLACE VIEW audit AS
SELECT time, tenant, site, service, action, subject, roles, agent_id, outcome, reason, target, trace_id, id
FROM audit_rows FINAL;

CREATE OR REPLACE VIEW otel_traces AS
SELECT * FROM otel_trace_rows FINAL;

CREATE OR REPLACE VIEW queues AS
SELECT tenant, queue, name, service_level_ms, service_level_percent FROM queue_rows FINAL;
