-- ledger.db: what a vendor knows of its sites, and which numbers it has signed. Times are seconds since 1970.

CREATE TABLE site (
  site        TEXT    PRIMARY KEY,      -- site id, 32 hex digits
  name        TEXT    NOT NULL UNIQUE,  -- local name, never in a bundle
  status      BLOB    NOT NULL,         -- Ed25519 public key of the appliance
  recipient   BLOB    NOT NULL,         -- X25519 public key of the appliance
  envelope    BLOB    NOT NULL,         -- the enrolment file as it came
  enrolled_at INTEGER NOT NULL,
  withdrawn_at INTEGER                  -- nothing of the site counts any more
) STRICT, WITHOUT ROWID;

-- Status keys that a site had before: they are good for receipts inside packages under the key in force, and for nothing else.
CREATE TABLE earlier_key (
  site     TEXT    NOT NULL REFERENCES site (site),
  key      BLOB    NOT NULL,            -- Ed25519 public key
  envelope BLOB    NOT NULL,            -- the enrolment file that named it
  until    INTEGER NOT NULL,            -- when it was replaced
  PRIMARY KEY (site, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE signed_release (
  domain     BLOB    NOT NULL,
  product    TEXT    NOT NULL,
  channel    TEXT    NOT NULL,
  epoch      INTEGER NOT NULL,
  sequence   INTEGER NOT NULL,
  head       BLOB    NOT NULL,          -- head digest
  version    TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (domain, product, channel, epoch, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX signed_release_of ON signed_release (head);

-- The workspace was put back from a backup: what was signed after that was made is not known here,
CREATE TABLE restored (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  made_at INTEGER NOT NULL
) STRICT;

-- unless a newer release of a product and channel was signed or taken in since,
CREATE TABLE known_again (
  domain   BLOB    NOT NULL,
  product  TEXT    NOT NULL,
  channel  TEXT    NOT NULL,
  PRIMARY KEY (domain, product, channel)
) STRICT, WITHOUT ROWID;

-- but that numbers up to these are used.
CREATE TABLE restored_number (
  domain   BLOB    NOT NULL,
  product  TEXT    NOT NULL,
  channel  TEXT    NOT NULL,
  epoch    INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  PRIMARY KEY (domain, product, channel)
) STRICT, WITHOUT ROWID;

-- What each signed release told targets to run, so that the next one drops nothing unsaid.
CREATE TABLE signed_fleet (
  domain   BLOB    NOT NULL,
  product  TEXT    NOT NULL,
  channel  TEXT    NOT NULL,
  epoch    INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  state    BLOB    NOT NULL,            -- a desired-state document, of all sites together
  PRIMARY KEY (domain, product, channel, epoch, sequence),
  FOREIGN KEY (domain, product, channel, epoch, sequence)
    REFERENCES signed_release (domain, product, channel, epoch, sequence)
) STRICT, WITHOUT ROWID;

-- What was signed, head by head: what a site that retains the release holds, and what its reports speak of. Written before the first
-- signature; a head that was signed elsewhere is learned from its bundle.
CREATE TABLE signed_head (
  id      INTEGER PRIMARY KEY,
  head    BLOB    NOT NULL UNIQUE,      -- head digest; joins signed_release
  bytes   BLOB    NOT NULL,             -- entry 03
  content BLOB    NOT NULL,             -- SHA-256 over the ascending digests of signed_blob
  blobs   INTEGER NOT NULL              -- how many they are
) STRICT;

CREATE TABLE signed_blob (
  head   INTEGER NOT NULL REFERENCES signed_head (id),
  digest BLOB    NOT NULL,
  size   INTEGER NOT NULL,
  leaf   INTEGER NOT NULL,              -- 1: a layer, which a bundle may leave out
  PRIMARY KEY (head, digest)
) STRICT, WITHOUT ROWID;

-- What of it the release's bundle left out, because the sites held it.
CREATE TABLE signed_need (
  head   INTEGER NOT NULL REFERENCES signed_head (id),
  digest BLOB    NOT NULL,
  PRIMARY KEY (head, digest)
) STRICT, WITHOUT ROWID;

-- For whom; site '' is any.
CREATE TABLE signed_audience (
  head INTEGER NOT NULL REFERENCES signed_head (id),
  site TEXT    NOT NULL,
  PRIMARY KEY (head, site)
) STRICT, WITHOUT ROWID;

-- What the release fixes, by the vendor's or the public's ids. It stands here alone and never travels.
CREATE TABLE signed_fix (
  id   TEXT    NOT NULL,
  head INTEGER NOT NULL REFERENCES signed_head (id),
  PRIMARY KEY (id, head)
) STRICT, WITHOUT ROWID;
CREATE INDEX signed_fix_of ON signed_fix (head);

CREATE TABLE signed_revision (
  revision   BLOB    NOT NULL,          -- UUID
  deployment BLOB    NOT NULL,          -- UUID
  head       INTEGER NOT NULL REFERENCES signed_head (id),
  PRIMARY KEY (revision, deployment, head)
) STRICT, WITHOUT ROWID;
CREATE INDEX signed_revision_of ON signed_revision (deployment);

-- What the release names, such as images: repository and digest.
CREATE TABLE signed_name (
  head       INTEGER NOT NULL REFERENCES signed_head (id),
  digest     BLOB    NOT NULL,
  repository TEXT    NOT NULL,
  PRIMARY KEY (head, digest, repository)
) STRICT, WITHOUT ROWID;

-- Targets and deployments by the newest release of each scope that states them for a site; site '' is every one. What a site reports of
-- any other UUID is nobody's: it has no name and no scope.
CREATE TABLE signed_target (
  target   BLOB    NOT NULL,            -- UUID
  site     TEXT    NOT NULL,
  product  TEXT    NOT NULL,
  channel  TEXT    NOT NULL,
  epoch    INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  name     TEXT    NOT NULL,
  PRIMARY KEY (target, site, product, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE signed_deployment (
  deployment  BLOB    NOT NULL,         -- UUID
  site        TEXT    NOT NULL,
  product     TEXT    NOT NULL,
  channel     TEXT    NOT NULL,
  epoch       INTEGER NOT NULL,
  sequence    INTEGER NOT NULL,
  target      BLOB    NOT NULL,         -- UUID
  application TEXT    NOT NULL,
  PRIMARY KEY (deployment, site, product, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX signed_deployment_in ON signed_deployment (product, channel, site);
CREATE INDEX signed_deployment_on ON signed_deployment (target);

-- Where targets stand, as each release states them, and which version their agents shall have: for whom a replay into a hub may speak.
CREATE TABLE signed_agent (
  target  BLOB    NOT NULL,             -- UUID
  head    INTEGER NOT NULL REFERENCES signed_head (id),
  site    TEXT,                         -- the only one; none: every site that the release is for
  version TEXT    NOT NULL,
  PRIMARY KEY (target, head)
) STRICT, WITHOUT ROWID;

-- A life of a site's state folder, as its packages state it. Numbers below where it begins belong to those before it.
CREATE TABLE instance (
  id       INTEGER PRIMARY KEY,         -- in the order in which they were first seen
  site     TEXT    NOT NULL REFERENCES site (site),
  instance TEXT    NOT NULL,            -- 32 hex digits
  parent   INTEGER REFERENCES instance (id),
  records  INTEGER NOT NULL,            -- its first number of each kind
  receipts INTEGER NOT NULL,
  audit    INTEGER NOT NULL,
  UNIQUE (site, instance)
) STRICT;

-- Which life goes on from which, as the rows of a site's log say; also of lives that never reported, or are in no lineage.
CREATE TABLE said_parent (
  site     TEXT NOT NULL REFERENCES site (site),
  instance TEXT NOT NULL,
  parent   TEXT NOT NULL,
  PRIMARY KEY (site, instance)
) STRICT, WITHOUT ROWID;

-- Packages that were taken in. Their files stand in packages/SITE/.
CREATE TABLE package (
  head        BLOB    PRIMARY KEY,      -- head digest
  instance    INTEGER NOT NULL REFERENCES instance (id),
  number      INTEGER NOT NULL,
  previous    BLOB,                     -- head digest of number - 1
  made_at     INTEGER NOT NULL,         -- by the site's clock
  ingested_at INTEGER NOT NULL,
  bytes       BLOB    NOT NULL,         -- entry 03
  UNIQUE (instance, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX package_times ON package (instance, number, made_at, ingested_at);

-- Which numbers of an instance's own were told: joined intervals. kind: 1 records, 2 receipts, 3 rows of the stream log.
CREATE TABLE coverage (
  instance INTEGER NOT NULL REFERENCES instance (id),
  kind     INTEGER NOT NULL,
  first    INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  PRIMARY KEY (instance, kind, first)
) STRICT, WITHOUT ROWID;

-- Facts: each belongs to the instance whose number it has. Lines of logs stay in the packages' files.
CREATE TABLE record (
  instance   INTEGER NOT NULL REFERENCES instance (id),
  number     INTEGER NOT NULL,
  class      INTEGER NOT NULL,          -- 1 transition, 2 continued, 3 status
  at         INTEGER NOT NULL,
  last       INTEGER NOT NULL,
  count      INTEGER NOT NULL,
  entered    INTEGER NOT NULL,
  of         INTEGER,
  target     BLOB    NOT NULL,
  deployment BLOB    NOT NULL,
  revision   BLOB    NOT NULL,
  state      TEXT    NOT NULL,
  signal     TEXT    NOT NULL,
  text       TEXT,                      -- as it travelled: quoted
  PRIMARY KEY (instance, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_of ON record (deployment, instance, number);

CREATE TABLE site_gap (
  instance INTEGER NOT NULL REFERENCES instance (id),
  number   INTEGER NOT NULL,
  target   BLOB,                        -- none: of all
  class    TEXT    NOT NULL,
  reason   TEXT    NOT NULL,
  count    INTEGER NOT NULL,
  exact    INTEGER NOT NULL,
  first    INTEGER,
  last     INTEGER,
  since    INTEGER NOT NULL,
  until    INTEGER NOT NULL,
  PRIMARY KEY (instance, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipt (
  instance INTEGER NOT NULL REFERENCES instance (id),
  number   INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  head     BLOB    NOT NULL,
  product  TEXT    NOT NULL,
  channel  TEXT    NOT NULL,
  epoch    INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  result   TEXT    NOT NULL,
  class    TEXT,
  code     TEXT,
  matched  INTEGER NOT NULL,            -- 1: this head was signed here for this site
  envelope BLOB    NOT NULL,
  PRIMARY KEY (instance, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_of ON receipt (head, instance, number);
-- Refusals of all sites are read from it alone, and what came after one of them from the next.
CREATE INDEX receipt_refused ON receipt (instance, number, at, head, product, channel, epoch, sequence, result, class, code, matched)
  WHERE result = 'refused';
CREATE INDEX receipt_came ON receipt (instance, product, channel, number, epoch, sequence) WHERE result <> 'refused';
CREATE INDEX receipt_activated ON receipt (instance, product, channel, number) WHERE result = 'activated';

CREATE TABLE site_audit (
  instance INTEGER NOT NULL REFERENCES instance (id),
  number   INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  action   TEXT    NOT NULL,
  detail   TEXT    NOT NULL,
  seal     BLOB    NOT NULL,
  PRIMARY KEY (instance, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX site_audit_seal ON site_audit (seal);   -- a receipt names its row by its seal

-- What a site is now, by the newest package of the instance that is shown.
CREATE TABLE held (
  site        TEXT    NOT NULL REFERENCES site (site),
  head        BLOB    NOT NULL,
  product     TEXT    NOT NULL,
  channel     TEXT    NOT NULL,
  epoch       INTEGER NOT NULL,
  sequence    INTEGER NOT NULL,
  state       TEXT    NOT NULL,         -- active, available, retired
  imported_at INTEGER,
  since       INTEGER,
  agrees      INTEGER,                  -- 1: numbers and content are what was signed here; null: the head is not known, or only a summary told
  source      BLOB    NOT NULL,         -- the package, by its head digest, or the summary that says so
  PRIMARY KEY (site, head)
) STRICT, WITHOUT ROWID;

CREATE TABLE damaged (
  site   TEXT NOT NULL REFERENCES site (site),
  digest BLOB NOT NULL,
  PRIMARY KEY (site, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE target_now (
  site    TEXT    NOT NULL REFERENCES site (site),
  target  BLOB    NOT NULL,
  seen    INTEGER,
  since   INTEGER,
  agent   TEXT,
  follows BLOB,
  name    TEXT,
  removed INTEGER,
  metrics TEXT,                         -- JSON, as it travelled
  package BLOB    NOT NULL,             -- head digest of the package or summary that said so
  PRIMARY KEY (site, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX target_now_made_there ON target_now (site) WHERE follows IS NOT NULL;
CREATE INDEX target_now_seen ON target_now (site, removed, seen);

CREATE TABLE deployment_now (
  site       TEXT    NOT NULL REFERENCES site (site),
  deployment BLOB    NOT NULL,
  target     BLOB    NOT NULL,
  wanted     BLOB,
  revision   BLOB,
  runs       BLOB,
  doubt      TEXT,
  state      TEXT,
  signal     TEXT,
  first      INTEGER,
  last       INTEGER,
  count      INTEGER,
  removed    INTEGER,
  package    BLOB    NOT NULL,
  newest     INTEGER,                   -- id of the newest head that gave it the revision which runs, where one scope alone states it for
                                        -- the site; none where that is to be asked
  PRIMARY KEY (site, deployment)
) STRICT, WITHOUT ROWID;
-- All that is asked over every site of 50,000 deployments stands in indexes, in the order in which it is grouped.
CREATE INDEX deployment_now_settled ON deployment_now (site, newest, doubt, deployment, runs, state, first) WHERE newest IS NOT NULL;
CREATE INDEX deployment_now_open ON deployment_now (deployment, site) WHERE newest IS NULL;
CREATE INDEX deployment_now_failing ON deployment_now (site) WHERE removed IS NULL AND (state = 'error' OR signal IN ('failed', 'rolled-back'));
CREATE INDEX deployment_now_of ON deployment_now (deployment);   -- a release that is recorded looks for what runs it

CREATE TABLE metrics_day (
  site    TEXT    NOT NULL REFERENCES site (site),
  target  BLOB    NOT NULL,
  day     INTEGER NOT NULL,             -- since 1970, UTC
  samples INTEGER NOT NULL,
  cpu     TEXT    NOT NULL,             -- JSON, as it travelled
  memory  TEXT    NOT NULL,
  disk    INTEGER,
  PRIMARY KEY (site, target, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE summary (
  digest   BLOB    PRIMARY KEY,         -- SHA-256 of its bytes
  site     TEXT    NOT NULL REFERENCES site (site),
  instance TEXT    NOT NULL,            -- the first 16 digits
  number   INTEGER NOT NULL,
  head     BLOB    NOT NULL,            -- the first 16 bytes of the package's head digest
  made_at  INTEGER NOT NULL,
  taken_at INTEGER NOT NULL,            -- by the clock here
  bytes    BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE acknowledgement (
  site     TEXT    NOT NULL REFERENCES site (site),
  number   INTEGER NOT NULL,
  envelope BLOB    NOT NULL,
  records  INTEGER NOT NULL,
  receipts INTEGER NOT NULL,
  audit    INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (site, number)
) STRICT, WITHOUT ROWID;

-- What was found in packages and is to be looked at; one open finding for each site and code, which counts. What was refused as
-- equivocation is no row here but one of the log, and listed with these.
CREATE TABLE finding (
  id       INTEGER PRIMARY KEY,
  site     TEXT    NOT NULL REFERENCES site (site),
  code     TEXT    NOT NULL,
  detail   TEXT    NOT NULL,            -- one sentence
  count    INTEGER NOT NULL,
  package  BLOB,                        -- head digest of the newest package that showed it
  at       INTEGER NOT NULL,            -- first
  ended_at INTEGER
) STRICT;
CREATE UNIQUE INDEX one_open_finding ON finding (site, code) WHERE ended_at IS NULL;

-- Whose site may report for a target of a hub.
CREATE TABLE replay_target (
  hub    TEXT NOT NULL,
  target BLOB NOT NULL,
  site   TEXT NOT NULL REFERENCES site (site),
  PRIMARY KEY (hub, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE replay (
  hub    TEXT    NOT NULL,
  site   TEXT    NOT NULL REFERENCES site (site),
  target BLOB    NOT NULL,
  item   TEXT    NOT NULL,
  state  TEXT    NOT NULL CHECK (state IN ('sending', 'sent', 'refused')),
  code   TEXT,
  at     INTEGER NOT NULL,
  PRIMARY KEY (hub, site, target, item)
) STRICT, WITHOUT ROWID;

-- What was done and refused here, sealed row by row.
CREATE TABLE audit (
  number INTEGER PRIMARY KEY,           -- 1, 2, 3 … without gaps
  at     INTEGER NOT NULL,
  action TEXT    NOT NULL,
  detail TEXT    NOT NULL,              -- canonical JSON
  hash   BLOB    NOT NULL               -- over the previous hash and this row (SPEC section 10)
) STRICT;
CREATE INDEX audit_of_site ON audit (detail ->> 'site', number) WHERE action IN ('refuse', 'finding-end');
CREATE INDEX audit_of_keys ON audit (detail ->> 'site', number) WHERE action IN ('replace-keys', 'ingest');
