-- One file holds the ticks of one UTC day. Rules for reading: docs/log-format.md.
-- Identity tables give small numbers that hold inside this file only. Sample rows are keyed (tick, entity) and are
-- written only when something changed; a column that is a difference counts since the tick before.
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
CREATE TABLE process_sample (
  tick           INTEGER NOT NULL,
  process        INTEGER NOT NULL,
  state          TEXT,
  threads        INTEGER,
  cpu_us         INTEGER,
  cpu_user_us    INTEGER,
  resident_bytes INTEGER,
  virtual_bytes  INTEGER,
  minor_faults   INTEGER,
  major_faults   INTEGER,
  read_bytes     INTEGER,
  written_bytes  INTEGER,
  received_bytes INTEGER,
  sent_bytes     INTEGER,
  descriptors    INTEGER,
  PRIMARY KEY (tick, process)
) STRICT, WITHOUT ROWID;
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
  not_attributed_reasons       INTEGER
) STRICT;

CREATE TABLE cpu (id INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE) STRICT;
CREATE TABLE cpu_sample (
  tick         INTEGER NOT NULL,
  cpu          INTEGER NOT NULL,
  user_us      INTEGER,
  nice_us      INTEGER,
  system_us    INTEGER,
  idle_us      INTEGER,
  iowait_us    INTEGER,
  interrupt_us INTEGER,
  softirq_us   INTEGER,
  steal_us     INTEGER,
  PRIMARY KEY (tick, cpu)
) STRICT, WITHOUT ROWID;

CREATE TABLE disk (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE disk_sample (
  tick          INTEGER NOT NULL,
  disk          INTEGER NOT NULL,
  read_bytes    INTEGER,
  written_bytes INTEGER,
  reads         INTEGER,
  writes        INTEGER,
  read_us       INTEGER,
  write_us      INTEGER,
  busy_us       INTEGER,
  in_flight     INTEGER,
  PRIMARY KEY (tick, disk)
) STRICT, WITHOUT ROWID;

CREATE TABLE filesystem (
  id          INTEGER PRIMARY KEY,
  mount_point TEXT NOT NULL,
  device      TEXT NOT NULL,
  kind        TEXT NOT NULL,
  UNIQUE (mount_point, device, kind)
) STRICT;
CREATE TABLE filesystem_sample (
  tick            INTEGER NOT NULL,
  filesystem      INTEGER NOT NULL,
  total_bytes     INTEGER,
  free_bytes      INTEGER,
  available_bytes INTEGER,
  inodes          INTEGER,
  inodes_free     INTEGER,
  read_only       INTEGER,
  PRIMARY KEY (tick, filesystem)
) STRICT, WITHOUT ROWID;

CREATE TABLE interface (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE interface_sample (
  tick             INTEGER NOT NULL,
  interface        INTEGER NOT NULL,
  received_bytes   INTEGER,
  sent_bytes       INTEGER,
  received_packets INTEGER,
  sent_packets     INTEGER,
  received_errors  INTEGER,
  sent_errors      INTEGER,
  received_dropped INTEGER,
  sent_dropped     INTEGER,
  up               INTEGER,
  PRIMARY KEY (tick, interface)
) STRICT, WITHOUT ROWID;

CREATE TABLE peer (id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE peer_sample (
  tick        INTEGER NOT NULL,
  peer        INTEGER NOT NULL,
  connections INTEGER,
  PRIMARY KEY (tick, peer)
) STRICT, WITHOUT ROWID;

CREATE TABLE socket (
  id       INTEGER PRIMARY KEY,
  protocol TEXT NOT NULL,
  address  TEXT NOT NULL,
  port     INTEGER NOT NULL,
  uid      INTEGER,
  copy     INTEGER NOT NULL, -- counts sockets that are otherwise the same
  UNIQUE (protocol, address, port, uid, copy)
) STRICT;
CREATE TABLE socket_sample (
  tick    INTEGER NOT NULL,
  socket  INTEGER NOT NULL,
  queue   INTEGER,
  backlog INTEGER,
  PRIMARY KEY (tick, socket)
) STRICT, WITHOUT ROWID;

CREATE TABLE active_check (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE detail (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE check_sample (
  tick         INTEGER NOT NULL,
  active_check INTEGER NOT NULL,
  ok           INTEGER,
  duration_us  INTEGER,
  detail       INTEGER,
  PRIMARY KEY (tick, active_check)
) STRICT, WITHOUT ROWID;

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
