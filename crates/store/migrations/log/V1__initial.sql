-- One file holds the ticks of one UTC day. Rules for reading: docs/log-format.md.
-- Identity tables give small numbers that hold inside this file only. Sample rows are written only when something
-- changed; a column that is a difference counts since the tick before. Their key, tick << 32 | entity, makes every new row
-- the last of its table; the views named *_sample show tick and entity again.
PRAGMA application_id = 1464552519; -- 0x574B4C47, "WKLG"

CREATE TABLE boot (
  id          INTEGER PRIMARY KEY,
  host_id     TEXT NOT NULL,
  boot_id     TEXT NOT NULL UNIQUE,
  booted_ms   INTEGER,
  clock_ticks INTEGER NOT NULL
) STRICT;

CREATE TABLE tick (
  id           INTEGER PRIMARY KEY,
  ts_ms        INTEGER NOT NULL,
  mono_ms      INTEGER NOT NULL,
  suspended_ms INTEGER NOT NULL,
  boot         INTEGER NOT NULL,
  interval_ms  INTEGER NOT NULL,
  flags        INTEGER NOT NULL,
  is_key       INTEGER NOT NULL,
  sections     INTEGER NOT NULL,
  dropped      INTEGER NOT NULL
) STRICT;
CREATE INDEX tick_time ON tick (ts_ms);

CREATE TABLE command (id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, length INTEGER NOT NULL, text TEXT NOT NULL) STRICT;
CREATE INDEX command_hash ON command (hash);
CREATE TABLE program (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL) STRICT;

CREATE TABLE process (
  id          INTEGER PRIMARY KEY,
  boot        INTEGER NOT NULL,
  pid         INTEGER NOT NULL,
  start_ticks INTEGER NOT NULL,
  UNIQUE (boot, pid, start_ticks)
) STRICT;
CREATE TABLE lineage (
  process   INTEGER NOT NULL,
  from_tick INTEGER NOT NULL,
  parent    INTEGER NOT NULL,
  uid       INTEGER,
  PRIMARY KEY (process, from_tick)
) STRICT, WITHOUT ROWID;
CREATE TABLE image (
  process     INTEGER NOT NULL,
  from_tick   INTEGER NOT NULL,
  name        TEXT NOT NULL,
  program     INTEGER NOT NULL,
  executable  TEXT,
  inode       INTEGER,
  modified_ms INTEGER,
  deleted     INTEGER,
  command     INTEGER,
  unit        TEXT,
  container   TEXT,
  PRIMARY KEY (process, from_tick)
) STRICT, WITHOUT ROWID;
CREATE TABLE process_row (
  id INTEGER PRIMARY KEY, -- tick << 32 | process
  state          INTEGER, -- place in 'SRDITtZXAH?', from 0
  threads        INTEGER,
  cpu_us         INTEGER,
  cpu_user_us    INTEGER,
  resident_pages INTEGER, -- of 4096 bytes; below zero: bytes, where they are not whole pages
  virtual_pages  INTEGER, -- the same
  minor_faults   INTEGER,
  major_faults   INTEGER,
  read_bytes     INTEGER,
  written_bytes  INTEGER,
  received_bytes INTEGER,
  sent_bytes     INTEGER,
  descriptors    INTEGER
) STRICT;
CREATE VIEW process_sample AS
  SELECT t.id AS tick, r.id & 4294967295 AS process,
         substr('SRDITtZXAH?', r.state + 1, 1) AS state, r.threads, r.cpu_us, r.cpu_user_us,
         iif(r.resident_pages >= 0, r.resident_pages * 4096, -r.resident_pages) AS resident_bytes,
         iif(r.virtual_pages >= 0, r.virtual_pages * 4096, -r.virtual_pages) AS virtual_bytes,
         r.minor_faults, r.major_faults, r.read_bytes, r.written_bytes, r.received_bytes, r.sent_bytes, r.descriptors
  FROM tick AS t JOIN process_row AS r ON r.id BETWEEN t.id << 32 AND t.id << 32 | 4294967295;
CREATE TABLE exit (
  tick           INTEGER NOT NULL,
  process        INTEGER NOT NULL,
  ts_ms          INTEGER NOT NULL,
  code           INTEGER,
  signal         INTEGER,
  cpu_us         INTEGER,
  cpu_user_us    INTEGER,
  minor_faults   INTEGER,
  major_faults   INTEGER,
  read_bytes     INTEGER,
  written_bytes  INTEGER,
  received_bytes INTEGER,
  sent_bytes     INTEGER,
  PRIMARY KEY (tick, process)
) STRICT, WITHOUT ROWID;

CREATE TABLE host_sample (
  tick                         INTEGER PRIMARY KEY,
  cpu_count                    INTEGER,
  user_us                      INTEGER,
  nice_us                      INTEGER,
  system_us                    INTEGER,
  idle_us                      INTEGER,
  iowait_us                    INTEGER,
  interrupt_us                 INTEGER,
  softirq_us                   INTEGER,
  steal_us                     INTEGER,
  memory_total_bytes           INTEGER,
  memory_free_bytes            INTEGER,
  memory_available_bytes       INTEGER,
  memory_buffers_bytes         INTEGER,
  memory_cached_bytes          INTEGER,
  memory_shared_bytes          INTEGER,
  memory_slab_bytes            INTEGER,
  memory_dirty_bytes           INTEGER,
  swap_total_bytes             INTEGER,
  swap_free_bytes              INTEGER,
  load_1m                      REAL,
  load_5m                      REAL,
  load_15m                     REAL,
  cpu_some_avg10               REAL,
  cpu_some_avg60               REAL,
  cpu_some_us                  INTEGER,
  memory_some_avg10            REAL,
  memory_some_avg60            REAL,
  memory_some_us               INTEGER,
  memory_full_avg10            REAL,
  memory_full_avg60            REAL,
  memory_full_us               INTEGER,
  io_some_avg10                REAL,
  io_some_avg60                REAL,
  io_some_us                   INTEGER,
  io_full_avg10                REAL,
  io_full_avg60                REAL,
  io_full_us                   INTEGER,
  created                      INTEGER,
  context_switches             INTEGER,
  interrupts                   INTEGER,
  minor_faults                 INTEGER,
  major_faults                 INTEGER,
  swapped_in_bytes             INTEGER,
  swapped_out_bytes            INTEGER,
  oom_kills                    INTEGER,
  connections                  INTEGER,
  not_attributed_cpu_us        INTEGER,
  not_attributed_read_bytes    INTEGER,
  not_attributed_written_bytes INTEGER,
  not_attributed_received_bytes INTEGER,
  not_attributed_sent_bytes    INTEGER,
  not_attributed_reasons       INTEGER,
  watch_late_ms                INTEGER,
  watch_log_failing_ms         INTEGER,
  watch_state_failing_ms       INTEGER,
  watch_channel_failing_ms     INTEGER,
  watch_outbox_age_ms          INTEGER,
  clock_step_ms                INTEGER,
  anomaly_score                REAL,
  anomaly_threshold            REAL,
  anomaly_confidence           REAL,
  oom_victim                   INTEGER -- process id
) STRICT;

CREATE TABLE cpu (id INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE) STRICT;
CREATE TABLE cpu_row (
  id INTEGER PRIMARY KEY, -- tick << 32 | cpu
  user_us      INTEGER,
  nice_us      INTEGER,
  system_us    INTEGER,
  idle_us      INTEGER,
  iowait_us    INTEGER,
  interrupt_us INTEGER,
  softirq_us   INTEGER,
  steal_us     INTEGER
) STRICT;
CREATE VIEW cpu_sample AS
  SELECT t.id AS tick, r.id & 4294967295 AS cpu, r.user_us, r.nice_us, r.system_us, r.idle_us, r.iowait_us,
         r.interrupt_us, r.softirq_us, r.steal_us
  FROM tick AS t JOIN cpu_row AS r ON r.id BETWEEN t.id << 32 AND t.id << 32 | 4294967295;

CREATE TABLE disk (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE disk_row (
  id INTEGER PRIMARY KEY, -- tick << 32 | disk
  read_bytes    INTEGER,
  written_bytes INTEGER,
  reads         INTEGER,
  writes        INTEGER,
  read_us       INTEGER,
  write_us      INTEGER,
  busy_us       INTEGER,
  in_flight     INTEGER
) STRICT;
CREATE VIEW disk_sample AS
  SELECT t.id AS tick, r.id & 4294967295 AS disk, r.read_bytes, r.written_bytes, r.reads, r.writes, r.read_us,
         r.write_us, r.busy_us, r.in_flight
  FROM tick AS t JOIN disk_row AS r ON r.id BETWEEN t.id << 32 AND t.id << 32 | 4294967295;

CREATE TABLE filesystem (
  id          INTEGER PRIMARY KEY,
  mount_point TEXT NOT NULL,
  device      TEXT NOT NULL,
  kind        TEXT NOT NULL,
  UNIQUE (mount_point, device, kind)
) STRICT;
CREATE TABLE filesystem_row (
  id INTEGER PRIMARY KEY, -- tick << 32 | filesystem
  total_bytes     INTEGER,
  free_bytes      INTEGER,
  available_bytes INTEGER,
  inodes          INTEGER,
  inodes_free     INTEGER,
  read_only       INTEGER
) STRICT;
CREATE VIEW filesystem_sample AS
  SELECT t.id AS tick, r.id & 4294967295 AS filesystem, r.total_bytes, r.free_bytes, r.available_bytes, r.inodes,
         r.inodes_free, r.read_only
  FROM tick AS t JOIN filesystem_row AS r ON r.id BETWEEN t.id << 32 AND t.id << 32 | 4294967295;

CREATE TABLE interface (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE interface_row (
  id INTEGER PRIMARY KEY, -- tick << 32 | interface
  received_bytes   INTEGER,
  sent_bytes       INTEGER,
  received_packets INTEGER,
  sent_packets     INTEGER,
  received_errors  INTEGER,
  sent_errors      INTEGER,
  received_dropped INTEGER,
  sent_dropped     INTEGER,
  up               INTEGER
) STRICT;
CREATE VIEW interface_sample AS
  SELECT t.id AS tick, r.id & 4294967295 AS interface, r.received_bytes, r.sent_bytes, r.received_packets,
         r.sent_packets, r.received_errors, r.sent_errors, r.received_dropped, r.sent_dropped, r.up
  FROM tick AS t JOIN interface_row AS r ON r.id BETWEEN t.id << 32 AND t.id << 32 | 4294967295;

CREATE TABLE peer (id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE peer_row (
  id INTEGER PRIMARY KEY, -- tick << 32 | peer
  connections INTEGER
) STRICT;
CREATE VIEW peer_sample AS
  SELECT t.id AS tick, r.id & 4294967295 AS peer, r.connections
  FROM tick AS t JOIN peer_row AS r ON r.id BETWEEN t.id << 32 AND t.id << 32 | 4294967295;

CREATE TABLE socket (
  id       INTEGER PRIMARY KEY,
  protocol TEXT NOT NULL,
  address  TEXT NOT NULL,
  port     INTEGER NOT NULL,
  uid      INTEGER,
  copy     INTEGER NOT NULL, -- counts sockets that are otherwise the same
  UNIQUE (protocol, address, port, uid, copy)
) STRICT;
CREATE TABLE socket_row (
  id INTEGER PRIMARY KEY, -- tick << 32 | socket
  queue        INTEGER,
  backlog      INTEGER,
  unread_bytes INTEGER,
  owner        INTEGER, -- process id of who listens
  opened       INTEGER  -- 1: appeared since the look before
) STRICT;
CREATE VIEW socket_sample AS
  SELECT t.id AS tick, r.id & 4294967295 AS socket, r.queue, r.backlog, r.unread_bytes, r.owner, r.opened
  FROM tick AS t JOIN socket_row AS r ON r.id BETWEEN t.id << 32 AND t.id << 32 | 4294967295;

CREATE TABLE active_check (
  id     INTEGER PRIMARY KEY,
  name   TEXT NOT NULL,
  target TEXT NOT NULL,
  error  TEXT, -- why it fails: a check that fails for another reason has another number
  UNIQUE (name, target, error)
) STRICT;
CREATE TABLE check_row (
  id INTEGER PRIMARY KEY, -- tick << 32 | active_check
  up            INTEGER,
  duration_us   INTEGER,
  status        INTEGER,
  tried_mono_ms INTEGER
) STRICT;
CREATE VIEW check_sample AS
  SELECT t.id AS tick, r.id & 4294967295 AS active_check, r.up, r.duration_us, r.status, r.tried_mono_ms
  FROM tick AS t JOIN check_row AS r ON r.id BETWEEN t.id << 32 AND t.id << 32 | 4294967295;

-- From this tick on the entity is not there any more; processes whose end was noticed have a row in exit instead.
CREATE TABLE gone (
  tick   INTEGER NOT NULL,
  kind   TEXT NOT NULL,
  entity INTEGER NOT NULL,
  PRIMARY KEY (tick, kind, entity)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  id      INTEGER PRIMARY KEY,
  tick    INTEGER NOT NULL,
  kind    TEXT NOT NULL,
  process INTEGER,
  detail  TEXT NOT NULL
) STRICT;
CREATE INDEX event_tick ON event (tick);

-- What could not be read in the ticks from_tick to to_tick; without ticks: ticks that were lost.
CREATE TABLE gap (
  id        INTEGER PRIMARY KEY,
  from_tick INTEGER,
  to_tick   INTEGER,
  from_ms   INTEGER NOT NULL,
  to_ms     INTEGER NOT NULL,
  place     INTEGER NOT NULL,
  section   TEXT NOT NULL,
  reason    TEXT NOT NULL,
  count     INTEGER NOT NULL,
  remedy    TEXT
) STRICT;

CREATE VIEW process_end (process, tick) AS
  SELECT process, tick FROM exit UNION ALL SELECT entity, tick FROM gone WHERE kind = 'process';
