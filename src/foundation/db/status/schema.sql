-- status.db: what agents report, numbered without gaps in each vendor's stream, until it was exported and acknowledged.
--
-- Steady state writes nothing but `journal`: one short row for each group commit, which says how often the newest status of which
-- deployments was repeated. Every minute the journal is folded into `repeats`, `latest`, `contact` and `usage` in one transaction;
-- what was committed since then is found again from `journal` and from the records numbered from `fold.next` on.

-- Whose status it is.
CREATE TABLE meta (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  site  TEXT    NOT NULL,                 -- site id, 32 hex digits; the same as in airlock.db
  start INTEGER NOT NULL DEFAULT 1,       -- first position of streams that begin in this file
  raises INTEGER NOT NULL DEFAULT 0       -- how often the mark file was raised; an older copy of this file says less than that one
) STRICT;

-- What goes to one vendor (M-81). Nothing in one tells of another.
CREATE TABLE stream (
  id           INTEGER PRIMARY KEY,
  domain       BLOB    NOT NULL UNIQUE,   -- trust domain
  next         INTEGER NOT NULL,          -- position that its next record gets; 0: asked for, and not begun
  row          INTEGER NOT NULL,          -- row ids below this one were given when that was written
  frozen       INTEGER NOT NULL,          -- records and gaps up to this position change no more
  frozen_at    INTEGER,                   -- since then
  acknowledged INTEGER NOT NULL,          -- records up to this position may go without a word
  covered_at   INTEGER,                   -- days of metrics that were over at this time too: when the last package acknowledged was frozen
  wanted       INTEGER NOT NULL           -- 1: somebody waits for it to be frozen
) STRICT;

-- Whoever reports: a target (deployment is null), or one deployment of it.
CREATE TABLE source (
  id         INTEGER PRIMARY KEY,
  stream     INTEGER NOT NULL,
  target     BLOB    NOT NULL,            -- UUID
  owner      BLOB    NOT NULL,            -- hash of the trust domain and product whose target it was: another owner begins anew
  deployment BLOB,                        -- UUID
  name       TEXT    NOT NULL,            -- of the target, for people
  agent      TEXT,                        -- version that the agent states; of targets
  since      INTEGER NOT NULL             -- first seen
) STRICT;

-- Everything that was accepted. A position that is missing was acknowledged, or lies within a row of `gap`.
CREATE TABLE record (
  number     INTEGER PRIMARY KEY,         -- row id; never leaves
  stream     INTEGER NOT NULL,
  position   INTEGER NOT NULL,            -- its number in the stream
  class      INTEGER NOT NULL,            -- 1 transition, 2 other status, 3 metrics, 4 log, 5 agent's own log, 6 gap, 7 continued
  source     INTEGER NOT NULL,            -- below 0: every target of that stream
  received   INTEGER NOT NULL,            -- by the appliance's clock
  size       INTEGER NOT NULL,            -- bytes that count against quotas
  revision   BLOB,                        -- UUID
  kind       INTEGER,                     -- of a status: 1 error, 2 progressing, 3 running, 4 healthy
  signal     INTEGER,                     -- of a status: what it says of the apply, fixed at acceptance
  of         INTEGER,                     -- of what continued: position of the record in which this run of equal reports began
  at         INTEGER,                     -- by the agent's clock, seconds since 1970
  nanos      INTEGER,
  hash       INTEGER,                     -- over everything that makes two log records the same
  resource   TEXT,
  severity   TEXT,
  text       TEXT
) STRICT;

CREATE UNIQUE INDEX record_position ON record (stream, position);
-- A deployment's history, and its oldest detail.
CREATE INDEX record_status ON record (source, number) WHERE class IN (1, 2, 7);
-- A log record that came before, and a source's oldest text. Agents send lines in order, so new entries lie side by side.
CREATE INDEX record_text ON record (class, source, at, hash) WHERE class IN (4, 5);

-- How often a status came, where that is more than once.
CREATE TABLE repeats (
  number  INTEGER PRIMARY KEY,
  count   INTEGER NOT NULL,
  last    INTEGER NOT NULL,               -- received
  entered INTEGER NOT NULL,               -- how often the deployment came into this state
  said    TEXT                            -- the last text as it came, where its ages differ from the record's
) STRICT;

-- Repeats since the last fold: time, then for each record its number, its count so far, whether it was entered again, and the text
-- as it came, where that is not the one before.
CREATE TABLE journal (
  id   INTEGER PRIMARY KEY,
  body BLOB NOT NULL
) STRICT;

-- What is known of a deployment as of the last fold, as JSON.
CREATE TABLE latest (
  source INTEGER PRIMARY KEY,
  state  TEXT NOT NULL
) STRICT;

-- What an agent was told last of a deployment, and from which record number on its statuses are about that.
CREATE TABLE advertised (
  source    INTEGER PRIMARY KEY,
  revision  BLOB,                         -- UUID; of one that is gone the last one, where that is known
  gone      INTEGER NOT NULL,             -- 1: told that it shall not run any more
  number    INTEGER NOT NULL,             -- records below this one came before
  reset     INTEGER NOT NULL,             -- what was reported below this number says nothing of what runs
  at        INTEGER NOT NULL,             -- told first
  confirmed INTEGER                       -- gone: when the agent asked again, having done what it was told before
) STRICT;

-- Last contact of a target as of the last fold.
CREATE TABLE contact (
  source  INTEGER PRIMARY KEY,
  last    INTEGER NOT NULL,
  metrics INTEGER                         -- row id of its newest measurements; where that is gone they stand in sample
) STRICT;

-- The newest measurements of a target whose record was folded into its day.
CREATE TABLE sample (
  source   INTEGER PRIMARY KEY,
  received INTEGER NOT NULL,
  text     TEXT    NOT NULL
) STRICT;

-- What the measurements of a target on one day came to, in parts per million; raw ones of that day may still be there.
CREATE TABLE metrics_day (
  stream     INTEGER NOT NULL,
  day        INTEGER NOT NULL,            -- since 1970, UTC
  source     INTEGER NOT NULL,            -- target
  samples    INTEGER NOT NULL,
  cpu_min    INTEGER NOT NULL,
  cpu_sum    INTEGER NOT NULL,
  cpu_max    INTEGER NOT NULL,
  memory_min INTEGER NOT NULL,
  memory_sum INTEGER NOT NULL,
  memory_max INTEGER NOT NULL,
  disk       INTEGER,                     -- the fullest one at its fullest
  PRIMARY KEY (stream, day, source)
) STRICT, WITHOUT ROWID;

-- Bytes held for a source as of the last fold.
CREATE TABLE usage (
  source INTEGER NOT NULL,
  class  INTEGER NOT NULL,
  bytes  INTEGER NOT NULL,
  PRIMARY KEY (source, class)
) STRICT, WITHOUT ROWID;

-- Where records were dropped since the last fold: their bytes are counted again. Source 0: of every source.
CREATE TABLE recount (
  source INTEGER NOT NULL,
  class  INTEGER NOT NULL,
  PRIMARY KEY (source, class)
) STRICT, WITHOUT ROWID;

-- What is not there, and why. A row grows until it is frozen.
CREATE TABLE gap (
  number INTEGER PRIMARY KEY,             -- of the record that stands for it
  stream INTEGER NOT NULL,
  position INTEGER NOT NULL,
  source INTEGER NOT NULL,                -- target; below 0: all of that stream
  reason TEXT    NOT NULL,                -- quota, rate, flapping, damaged, restored, folded
  class  INTEGER NOT NULL,                -- of what is missing; 0: anything
  count  INTEGER NOT NULL,
  exact  INTEGER NOT NULL,                -- 0: at most that many
  bytes  INTEGER NOT NULL,
  first  INTEGER NOT NULL,                -- positions that are missing lie from here
  last   INTEGER NOT NULL,                -- to here; both 0 where nothing had a number
  since  INTEGER NOT NULL,                -- received
  until  INTEGER NOT NULL
) STRICT;

CREATE TABLE fold (
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  next INTEGER NOT NULL                   -- records from this number on are not in latest and usage yet
) STRICT;
INSERT INTO fold (one, next) VALUES (1, 1);
