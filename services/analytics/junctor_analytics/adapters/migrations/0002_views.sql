-- What analysts read: each event, contact, segment ... once, however often it came.

CREATE OR REPLACE VIEW events AS
SELECT time, tenant, site, service, type, contact_id, event_id, journal_partition, sequence, log_offset, data, inserted_at
FROM event_rows FINAL;

CREATE OR REPLACE VIEW contacts AS
SELECT tenant, contact_id, channel, direction, entry_point, arrived_at, ended_at, closed_at, cause, disposition, site,
    detail, customer_hash, journey_id, previous_contact_id
FROM contact_rows FINAL;

CREATE OR REPLACE VIEW segments AS
SELECT tenant, contact_id, segment, kind, queue, agent_id, started_at, ended_at, result, channel, flow, reservation_id
FROM segment_rows FINAL;

CREATE OR REPLACE VIEW tasks AS
SELECT tenant, contact_id, agent_id, queue, channel, assigned_at, ended_at, completed_at, state, disposition, cause,
    waited_ms, time, event_id
FROM task_rows FINAL;

CREATE OR REPLACE VIEW agent_states AS
SELECT tenant, agent_id, state, reason, session, started_at, ended_at
FROM agent_state_rows FINAL;

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
