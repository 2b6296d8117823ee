-- One skill: the longest idle agent gets the contact; an agent who is free again gets the first in line.
CREATE TABLE agents (id int PRIMARY KEY, state text NOT NULL, idle_since bigint NOT NULL, contact bigint)
  WITH (fillfactor = 50);
CREATE INDEX idle_agents ON agents (idle_since) WHERE state = 'idle';
CREATE TABLE contacts (
  id bigserial PRIMARY KEY, priority int NOT NULL, arrived_at bigint NOT NULL, state text NOT NULL, agent int,
  wrap_up_until bigint, batch bigint
) WITH (fillfactor = 70);
CREATE INDEX contacts_in_line ON contacts (priority, arrived_at, id) WHERE state = 'queued';
CREATE INDEX contacts_of_a_batch ON contacts (batch) WHERE batch IS NOT NULL;
CREATE SEQUENCE moments;
INSERT INTO agents SELECT n, 'idle', nextval('moments'), NULL FROM generate_series(1, 2000) AS n;
ANALYZE;
