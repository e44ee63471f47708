/** The tables of the log. Owned by whoever migrates; role `app_log`, where it exists, may read and write but not change them. */
export const eventLogMigrations: readonly { readonly name: string; readonly sql: string }[] = [
  {
    name: 'event-log-0001-tables',
    sql: `
CREATE SCHEMA IF NOT EXISTS event_log;

CREATE TABLE event_log.topics (
  topic_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  partitions int NOT NULL CHECK (partitions > 0),
  retention_ms bigint NOT NULL CHECK (retention_ms > 0)
);

-- The counter row: whoever holds its lock gives out the next offsets, so commit order is offset order and no offset is ever missing.
CREATE TABLE event_log.partitions (
  topic_id int NOT NULL REFERENCES event_log.topics,
  partition int NOT NULL,
  begin_offset bigint NOT NULL DEFAULT 0,
  next_offset bigint NOT NULL DEFAULT 0,
  -- Bytes ever appended, and those of them already dropped.
  bytes bigint NOT NULL DEFAULT 0,
  begin_bytes bigint NOT NULL DEFAULT 0,
  appended_at_ms bigint NOT NULL DEFAULT 0,
  -- Newest segment; never falls.
  hour int NOT NULL DEFAULT 0,
  PRIMARY KEY (topic_id, partition)
) WITH (fillfactor = 40);

-- Offsets from start_offset on lie in this hour or a later one.
CREATE TABLE event_log.segments (
  topic_id int NOT NULL,
  partition int NOT NULL,
  hour int NOT NULL,
  start_offset bigint NOT NULL,
  start_bytes bigint NOT NULL,
  PRIMARY KEY (topic_id, partition, hour),
  FOREIGN KEY (topic_id, partition) REFERENCES event_log.partitions
);

-- Hours since 1970 that have a table of their own below event_log.records.
CREATE TABLE event_log.hours (hour int PRIMARY KEY);

CREATE TABLE event_log.records (
  topic_id int NOT NULL,
  partition int NOT NULL,
  "offset" bigint NOT NULL,
  hour int NOT NULL,
  appended_at_ms bigint NOT NULL,
  key bytea,
  value bytea,
  -- Per header: two bytes length, name, four bytes length, value.
  headers bytea NOT NULL,
  PRIMARY KEY (topic_id, partition, "offset", hour)
) PARTITION BY RANGE (hour);
-- Compressing payloads costs more processor time than the disk it saves.
ALTER TABLE event_log.records ALTER COLUMN value SET STORAGE EXTERNAL;

CREATE TABLE event_log.groups (
  group_name text PRIMARY KEY,
  topics text[] NOT NULL,
  -- Rises with every change of members or topics; members look again when it differs.
  generation bigint NOT NULL DEFAULT 1,
  -- A retired group has no members, holds no records back and takes no commits.
  retired_at timestamptz
) WITH (fillfactor = 40);

CREATE TABLE event_log.members (
  group_name text NOT NULL REFERENCES event_log.groups ON DELETE CASCADE,
  member_id uuid NOT NULL,
  -- The process; one process may be several members.
  instance_id uuid NOT NULL,
  lease_until timestamptz NOT NULL,
  PRIMARY KEY (group_name, member_id)
) WITH (fillfactor = 40);

CREATE TABLE event_log.positions (
  group_name text NOT NULL REFERENCES event_log.groups ON DELETE CASCADE,
  topic_id int NOT NULL,
  partition int NOT NULL,
  member_id uuid,
  -- Rises with every assignment; a commit under an older one is refused.
  epoch bigint NOT NULL DEFAULT 0,
  -- Next offset to read; null while nothing was committed.
  committed bigint,
  PRIMARY KEY (group_name, topic_id, partition),
  FOREIGN KEY (topic_id, partition) REFERENCES event_log.partitions
) WITH (fillfactor = 40);
`,
  },
  {
    name: 'event-log-0002-functions',
    sql: `
-- Makes the tables of these hours. ATTACH leaves readers and writers of the other hours alone, CREATE TABLE … PARTITION OF would lock them all out.
CREATE FUNCTION event_log.ensure_hours(p_from int, p_to int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE v_hour int;
BEGIN
  IF (SELECT count(*) FROM event_log.hours WHERE hour BETWEEN p_from AND p_to) = p_to - p_from + 1 THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('event_log.hours', 0));
  FOR v_hour IN SELECT h FROM generate_series(p_from, p_to) AS h WHERE NOT EXISTS (SELECT FROM event_log.hours WHERE hour = h) ORDER BY h LOOP
    -- Rows are only ever added, and the table is dropped as a whole: nothing to vacuum. Nor to analyse: a plan made for an hour's first few rows would stay a sequential scan while the hour fills.
    EXECUTE format('CREATE TABLE event_log.records_%s (LIKE event_log.records INCLUDING ALL) WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false)', v_hour);
    EXECUTE format('ALTER TABLE event_log.records ATTACH PARTITION event_log.records_%s FOR VALUES FROM (%s) TO (%s)', v_hour, v_hour, v_hour + 1);
    INSERT INTO event_log.hours VALUES (v_hour);
  END LOOP;
END $$;

-- One append, one transaction, one round trip. Records come sorted by topic and partition, p_count[g] of them for each of these groups;
-- record i lies in p_blob from p_start[i] on as key, headers, value, of the given lengths (-1 for null). Answers with the first offset and the append time of each group.
CREATE FUNCTION event_log.append(
  p_topic int[], p_partition int[], p_count int[], p_bytes bigint[],
  p_group int[], p_index int[], p_start int[], p_key int[], p_headers int[], p_value int[], p_blob bytea
) RETURNS TABLE (base_offset bigint, appended_at_ms bigint) LANGUAGE plpgsql SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
  v_groups constant int := cardinality(p_topic);
  v_now_hour int := floor(extract(epoch FROM clock_timestamp()) / 3600);
  v_base bigint[] := array_fill(0::bigint, ARRAY[v_groups]);
  v_time bigint[] := v_base;
  v_hours int[] := array_fill(0, ARRAY[v_groups]);
  v_offset bigint; v_bytes bigint; v_ms bigint; v_hour int; v_old_hour int;
BEGIN
  -- Before any counter is locked: table locks taken after row locks could deadlock.
  PERFORM event_log.ensure_hours(v_now_hour, v_now_hour + 1);
  FOR g IN 1..v_groups LOOP
    -- The time is taken after the lock: where the row was changed meanwhile, the expression is computed again on the new row.
    UPDATE event_log.partitions c
       SET next_offset = c.next_offset + p_count[g], bytes = c.bytes + p_bytes[g],
           appended_at_ms = greatest(c.appended_at_ms, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)
     WHERE c.topic_id = p_topic[g] AND c.partition = p_partition[g]
    RETURNING c.next_offset - p_count[g], c.bytes - p_bytes[g], c.appended_at_ms, c.hour INTO v_offset, v_bytes, v_ms, v_old_hour;
    IF NOT FOUND THEN RAISE EXCEPTION 'partition % of topic % does not exist', p_partition[g], p_topic[g] USING ERRCODE = 'foreign_key_violation'; END IF;
    v_hour := greatest(v_old_hour, (v_ms / 3600000)::int);
    IF v_hour > v_old_hour THEN
      UPDATE event_log.partitions c SET hour = v_hour WHERE c.topic_id = p_topic[g] AND c.partition = p_partition[g];
      INSERT INTO event_log.segments VALUES (p_topic[g], p_partition[g], v_hour, v_offset, v_bytes);
    END IF;
    v_base[g] := v_offset; v_time[g] := v_ms; v_hours[g] := v_hour;
  END LOOP;
  INSERT INTO event_log.records (topic_id, partition, "offset", hour, appended_at_ms, key, headers, value)
  SELECT p_topic[r.g], p_partition[r.g], v_base[r.g] + r.i, v_hours[r.g], v_time[r.g],
         CASE WHEN r.k >= 0 THEN substring(p_blob FROM r.s + 1 FOR r.k) END,
         substring(p_blob FROM r.s + 1 + greatest(r.k, 0) FOR r.h),
         CASE WHEN r.v >= 0 THEN substring(p_blob FROM r.s + 1 + greatest(r.k, 0) + r.h FOR r.v) END
    FROM unnest(p_group, p_index, p_start, p_key, p_headers, p_value) AS r(g, i, s, k, h, v);
  RETURN QUERY SELECT * FROM unnest(v_base, v_time);
END $$;

-- Starts the current hour in partitions that had no append in it, so that their readers need not look into older tables.
CREATE FUNCTION event_log.roll_hours() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE v_hour int := floor(extract(epoch FROM clock_timestamp()) / 3600); c record;
BEGIN
  PERFORM event_log.ensure_hours(v_hour, v_hour + 1);
  FOR c IN SELECT topic_id, partition FROM event_log.partitions WHERE hour < v_hour ORDER BY topic_id, partition FOR NO KEY UPDATE LOOP
    UPDATE event_log.partitions p SET hour = v_hour WHERE p.topic_id = c.topic_id AND p.partition = c.partition AND p.hour < v_hour;
    IF FOUND THEN
      INSERT INTO event_log.segments SELECT p.topic_id, p.partition, v_hour, p.next_offset, p.bytes FROM event_log.partitions p WHERE p.topic_id = c.topic_id AND p.partition = c.partition;
    END IF;
  END LOOP;
END $$;

-- Drops whole hours from the oldest on: past the longest retention, and read to the end by every group that is not retired. Answers with the number of hours dropped.
CREATE FUNCTION event_log.drop_hours(p_now_ms bigint) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE v_hour int; v_dropped int := 0;
BEGIN
  PERFORM set_config('lock_timeout', '2s', true);
  PERFORM pg_advisory_xact_lock(hashtextextended('event_log.hours', 0));
  FOR v_hour IN SELECT hour FROM event_log.hours ORDER BY hour LOOP
    EXIT WHEN (v_hour + 1)::bigint * 3600000 > p_now_ms - (SELECT coalesce(max(retention_ms), 0) FROM event_log.topics);
    PERFORM FROM event_log.partitions ORDER BY topic_id, partition FOR NO KEY UPDATE;
    EXIT WHEN EXISTS (
      SELECT FROM event_log.segments s
        JOIN event_log.partitions p USING (topic_id, partition)
        JOIN event_log.positions o USING (topic_id, partition)
        JOIN event_log.groups g USING (group_name)
       WHERE s.hour <= v_hour AND g.retired_at IS NULL
         AND greatest(o.committed, p.begin_offset) < coalesce((SELECT min(n.start_offset) FROM event_log.segments n WHERE n.topic_id = s.topic_id AND n.partition = s.partition AND n.hour > v_hour), p.next_offset));
    -- A partition whose newest segment goes starts the next one, empty.
    PERFORM event_log.ensure_hours(v_hour + 1, v_hour + 1);
    INSERT INTO event_log.segments SELECT topic_id, partition, v_hour + 1, next_offset, bytes FROM event_log.partitions WHERE hour <= v_hour;
    UPDATE event_log.partitions SET hour = v_hour + 1 WHERE hour <= v_hour;
    UPDATE event_log.partitions p SET begin_offset = s.start_offset, begin_bytes = s.start_bytes
      FROM (SELECT DISTINCT ON (topic_id, partition) * FROM event_log.segments WHERE hour > v_hour ORDER BY topic_id, partition, hour) s
     WHERE s.topic_id = p.topic_id AND s.partition = p.partition AND p.begin_offset < s.start_offset;
    DELETE FROM event_log.segments WHERE hour <= v_hour;
    EXECUTE format('ALTER TABLE event_log.records DETACH PARTITION event_log.records_%s', v_hour);
    EXECUTE format('DROP TABLE event_log.records_%s', v_hour);
    DELETE FROM event_log.hours WHERE hour = v_hour;
    v_dropped := v_dropped + 1;
  END LOOP;
  RETURN v_dropped;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA event_log FROM PUBLIC;
`,
  },
  {
    name: 'event-log-0003-grants',
    sql: `
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_log') THEN
    GRANT USAGE ON SCHEMA event_log TO app_log;
    GRANT SELECT, INSERT, UPDATE, DELETE ON event_log.topics, event_log.partitions, event_log.segments, event_log.records, event_log.groups, event_log.members, event_log.positions TO app_log;
    GRANT SELECT ON event_log.hours TO app_log;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA event_log TO app_log;
  END IF;
END $$;
`,
  },
  {
    name: 'event-log-0004-presence',
    sql: `
-- Present: its process holds an advisory lock on a connection of its own, which the server gives back the moment the process is gone.
ALTER TABLE event_log.members ADD COLUMN is_present boolean NOT NULL DEFAULT false, ADD COLUMN absent_since timestamptz;
`,
  },
];

export interface MigratingClient {
  query(sql: string): Promise<unknown>;
}

/** For tests and tools without the storage library: applies all of it to an empty database. */
export async function migrateEventLog(client: MigratingClient): Promise<void> {
  for (const { sql } of eventLogMigrations) await client.query(sql);
}
