-- Times are milliseconds UTC since 1970. Keys and fingerprints are 64-bit hashes as signed integers;
-- printf('%016x', key) shows them as the program does. JSON is {"version":N,"value":...}; evidence has its own version.
PRAGMA application_id = 1464554324; -- 0x574B5354, "WKST"

-- The host for ever, made at the first start.
CREATE TABLE host (
  id      INTEGER PRIMARY KEY CHECK (id = 1),
  id_uuid TEXT NOT NULL
) STRICT;

-- Alerts that are not over. What was over is told by the incident and its history.
CREATE TABLE alert (
  fingerprint INTEGER PRIMARY KEY,
  rule        TEXT NOT NULL,
  metric      TEXT NOT NULL,
  entity      TEXT NOT NULL, -- JSON
  state       TEXT NOT NULL CHECK (state IN ('inactive', 'pending', 'firing', 'recovering', 'resolved', 'ended')),
  since_ms    INTEGER NOT NULL,
  observed_ms INTEGER NOT NULL,
  fired_ms    INTEGER,
  ended_ms    INTEGER,
  value       REAL,
  seen_ms     INTEGER NOT NULL,
  incident    INTEGER -- incident.key
) STRICT;

CREATE TABLE incident (
  ticket    INTEGER PRIMARY KEY AUTOINCREMENT, -- rising, never used twice
  key       INTEGER NOT NULL UNIQUE,
  cause     TEXT NOT NULL,
  rule      TEXT NOT NULL, -- of the evidence
  severity  TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  title     TEXT NOT NULL,
  host      TEXT NOT NULL,
  labels    TEXT NOT NULL, -- JSON
  alerts    TEXT NOT NULL, -- JSON, fingerprints, oldest first, at most 100
  joined    TEXT NOT NULL, -- JSON, alerts that joined after the first, at most 100
  times     INTEGER NOT NULL, -- how often it fired
  course    TEXT NOT NULL, -- JSON, what its next change depends on
  opened_ms INTEGER NOT NULL,
  closed_ms INTEGER,
  evidence  TEXT NOT NULL -- JSON
) STRICT;
CREATE INDEX incident_opened ON incident (opened_ms);
CREATE INDEX incident_closed ON incident (closed_ms);
CREATE INDEX incident_cause ON incident (cause, opened_ms);
CREATE INDEX incident_rule ON incident (rule, opened_ms);

CREATE TABLE incident_event (
  id       INTEGER PRIMARY KEY,
  incident INTEGER NOT NULL REFERENCES incident (key) ON DELETE CASCADE,
  at_ms    INTEGER NOT NULL,
  event    TEXT NOT NULL CHECK (event IN (
    'opened', 'storm', 'joined', 'left', 'severity', 'flapping', 'acknowledged', 'resolved', 'ended'
  )),
  detail   TEXT
) STRICT;
CREATE INDEX incident_event_incident ON incident_event (incident);

CREATE TABLE acknowledgement (
  id       INTEGER PRIMARY KEY,
  incident INTEGER NOT NULL REFERENCES incident (key) ON DELETE CASCADE,
  author   TEXT NOT NULL,
  at_ms    INTEGER NOT NULL,
  until_ms INTEGER, -- NULL: until the incident is over
  note     TEXT
) STRICT;
CREATE INDEX acknowledgement_incident ON acknowledgement (incident);

-- Stops messages, never evaluation.
CREATE TABLE silence (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  matcher    TEXT NOT NULL, -- an expression over the labels of an incident
  author     TEXT NOT NULL,
  comment    TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  starts_ms  INTEGER NOT NULL,
  ends_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX silence_ends ON silence (ends_ms);

-- What was learned as normal.
-- Not used yet.
CREATE TABLE model (
  kind       TEXT NOT NULL, -- which detector
  series     TEXT NOT NULL, -- JSON, what it is the normal of
  version    INTEGER NOT NULL, -- of the body
  trained_ms INTEGER NOT NULL,
  body       BLOB NOT NULL,
  PRIMARY KEY (kind, series)
) STRICT, WITHOUT ROWID;

-- Numbers of programs that hold over all day files.
-- Not used yet.
CREATE TABLE program (
  id      INTEGER PRIMARY KEY,
  name    TEXT NOT NULL UNIQUE,
  version INTEGER NOT NULL -- of the definition of a program
) STRICT;

-- How far each remote database has the log.
-- Not used yet.
CREATE TABLE push_cursor (
  remote    TEXT NOT NULL,
  stream    TEXT NOT NULL, -- which tables of the log
  day       TEXT NOT NULL, -- day file, YYYY-MM-DD
  tick      INTEGER NOT NULL, -- last tick that the remote has acknowledged
  pushed_ms INTEGER NOT NULL,
  PRIMARY KEY (remote, stream)
) STRICT, WITHOUT ROWID;

-- One message due for one recipient.
CREATE TABLE outbox (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  dedup_key      TEXT NOT NULL UNIQUE,
  group_key      TEXT NOT NULL,
  incident       INTEGER, -- incident.key; NULL: a test message
  event          TEXT,
  channel        TEXT NOT NULL,
  recipient      TEXT NOT NULL,
  due_ms         INTEGER NOT NULL,
  created_ms     INTEGER NOT NULL,
  expires_ms     INTEGER NOT NULL,
  unless         TEXT,
  attempts       INTEGER NOT NULL DEFAULT 0,
  lease_until_ms INTEGER, -- a worker has it until then
  state          TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'dead', 'needless')),
  finished_ms    INTEGER -- when the state stopped being pending
) STRICT;
CREATE INDEX outbox_due ON outbox (channel, due_ms) WHERE state = 'pending';
CREATE INDEX outbox_group ON outbox (channel, group_key, recipient) WHERE state = 'pending';
CREATE INDEX outbox_finished ON outbox (finished_ms) WHERE state <> 'pending';
CREATE INDEX outbox_incident ON outbox (incident);

-- What became of each attempt.
CREATE TABLE delivery (
  id      INTEGER PRIMARY KEY,
  outbox  INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
  ts_ms   INTEGER NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('sent', 'transient', 'channel', 'dead', 'needless')),
  code    INTEGER, -- SMTP reply or HTTP status
  text    TEXT NOT NULL
) STRICT;
CREATE INDEX delivery_outbox ON delivery (outbox);
