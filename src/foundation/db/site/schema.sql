-- airlock.db: trust, content, names, agents, evidence. Times are seconds since 1970; digests and hashes are 32 bytes, UUIDs 16.
-- Rows of a release never change after it was published, except its state; those about targets stand for this site only.

CREATE TABLE appliance (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  site       TEXT    NOT NULL,          -- site id, 32 hex digits
  name       TEXT    NOT NULL,          -- local name, never exported
  created_at INTEGER NOT NULL,
  generation INTEGER NOT NULL,          -- grows with every activation; a running server watches it
  agents     INTEGER NOT NULL,          -- grows with every change of targets and their credentials; watched too
  repairs    INTEGER NOT NULL,          -- grows whenever damage ended; watched too
  approvals  INTEGER NOT NULL           -- how many people have to approve what leaves, as the configuration said last
) STRICT;

-- What tells the keys that this appliance alone has from any other: a keyed hash under each.
CREATE TABLE own_key (
  name  TEXT PRIMARY KEY CHECK (name IN ('token', 'revision')),
  proof BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The lives of the state folder, oldest first; the last one is the present (SPEC section 15).
CREATE TABLE instance (
  number   INTEGER PRIMARY KEY,         -- 1, 2, 3 …
  instance TEXT    NOT NULL UNIQUE,     -- 32 random hex digits
  reason   TEXT    NOT NULL CHECK (reason IN ('init', 'copied', 'restored', 'cloned', 'status-key')),
  at       INTEGER NOT NULL
) STRICT;

CREATE TABLE trust_root (
  domain      BLOB    NOT NULL,
  version     INTEGER NOT NULL,
  envelope    BLOB    NOT NULL,         -- the DSSE envelope as accepted
  accepted_at INTEGER NOT NULL,
  PRIMARY KEY (domain, version)
) STRICT, WITHOUT ROWID;

-- What the signed statements of a domain have proven to be past (threat model 2.6). It judges that domain's documents alone.
CREATE TABLE time_floor (
  domain BLOB    PRIMARY KEY,
  floor  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE scope (
  id      INTEGER PRIMARY KEY,
  domain  BLOB NOT NULL,
  product TEXT NOT NULL,
  channel TEXT NOT NULL,
  UNIQUE (domain, product, channel)
) STRICT;

CREATE TABLE mark (
  scope    INTEGER PRIMARY KEY REFERENCES scope (id),
  epoch    INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  head     BLOB    NOT NULL
) STRICT;

CREATE TABLE release (
  id           INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: a running server may know a release that is gone by it
  scope        INTEGER NOT NULL REFERENCES scope (id),
  head         BLOB    NOT NULL UNIQUE, -- head digest
  head_bytes   BLOB    NOT NULL,        -- entry 03
  signatures   BLOB    NOT NULL,        -- entry 01
  root_version INTEGER NOT NULL,        -- the root under which it was accepted
  epoch        INTEGER NOT NULL,
  sequence     INTEGER NOT NULL,
  version      TEXT    NOT NULL,
  state        TEXT    NOT NULL CHECK (state IN ('available', 'active', 'retired')),
  imported_at  INTEGER NOT NULL,
  waits        INTEGER NOT NULL,        -- 1: it goes live by itself as soon as no secret of it is missing
  first_live   INTEGER,                 -- generation that it was first live in; tells which scope had content first (D18)
  activated_at INTEGER,
  retired_at   INTEGER,
  leaving      INTEGER,                 -- row of its domain's stream log that told that it shall go: no package lists it since (SPEC M-102)
  UNIQUE (scope, epoch, sequence)
) STRICT;
CREATE UNIQUE INDEX one_active_release ON release (scope) WHERE state = 'active';

CREATE TABLE release_page (
  release INTEGER NOT NULL REFERENCES release (id),
  number  INTEGER NOT NULL,
  sha256  BLOB    NOT NULL,             -- the page's bytes are a file of the blob store
  size    INTEGER NOT NULL,
  PRIMARY KEY (release, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX release_of_page ON release_page (sha256);

CREATE TABLE home_host (
  release INTEGER NOT NULL REFERENCES release (id),
  host    TEXT    NOT NULL,
  PRIMARY KEY (release, host)
) STRICT, WITHOUT ROWID;

-- Which scope had which host live as its home, and since which generation: the order in which names without host are looked for.
-- Rows of these three tables stay for as long as a release of the scope (of the domain) is retained.
CREATE TABLE home_claim (
  scope INTEGER NOT NULL REFERENCES scope (id),
  host  TEXT    NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (scope, host)
) STRICT, WITHOUT ROWID;

-- Whose a home host is: of the domain that first had it live as one while no other domain had a repository under it live.
CREATE TABLE host_owner (
  host   TEXT    PRIMARY KEY,
  domain BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE blob (
  id         INTEGER PRIMARY KEY,
  digest     BLOB    NOT NULL UNIQUE,
  size       INTEGER NOT NULL,
  piece_size INTEGER,                   -- blobs above 4 MiB: bytes per piece
  pieces     BLOB                       -- and the states of the blob's SHA-256 at the end of each but the last, concatenated (threat model R05)
) STRICT;

CREATE TABLE release_blob (
  release INTEGER NOT NULL REFERENCES release (id),
  blob    INTEGER NOT NULL REFERENCES blob (id),
  PRIMARY KEY (release, blob)
) STRICT, WITHOUT ROWID;
-- Whether anybody else has a blob: asked for each one of a refused bundle.
CREATE INDEX release_of_blob ON release_blob (blob);

CREATE TABLE repository (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE             -- with its host: docker.io/library/postgres
) STRICT;

CREATE TABLE release_repository (
  repository INTEGER NOT NULL REFERENCES repository (id),
  release    INTEGER NOT NULL REFERENCES release (id),
  PRIMARY KEY (repository, release)
) STRICT, WITHOUT ROWID;

-- What can be fetched by digest under a repository name.
CREATE TABLE content (
  repository INTEGER NOT NULL REFERENCES repository (id),
  blob       INTEGER NOT NULL REFERENCES blob (id),
  release    INTEGER NOT NULL REFERENCES release (id),
  media_type TEXT,                      -- manifests and indexes only
  PRIMARY KEY (repository, blob, release)
) STRICT, WITHOUT ROWID;

CREATE TABLE tag (
  repository INTEGER NOT NULL REFERENCES repository (id),
  tag        TEXT    NOT NULL,
  release    INTEGER NOT NULL REFERENCES release (id),
  blob       INTEGER NOT NULL REFERENCES blob (id),
  PRIMARY KEY (repository, tag, release)
) STRICT, WITHOUT ROWID;

-- Which scopes had a tag live, and since which generation: it belongs to the first (D18), also while that one does not state it.
CREATE TABLE tag_claim (
  repository INTEGER NOT NULL REFERENCES repository (id),
  tag        TEXT    NOT NULL,
  since      INTEGER NOT NULL,
  scope      INTEGER NOT NULL REFERENCES scope (id),
  PRIMARY KEY (repository, tag, since)
) STRICT, WITHOUT ROWID;

-- What is about other content, once a release: which repositories have it, `content` says.
CREATE TABLE referrer (
  subject       BLOB    NOT NULL,       -- digest of the subject
  release       INTEGER NOT NULL REFERENCES release (id),
  blob          INTEGER NOT NULL REFERENCES blob (id),
  artifact_type TEXT,
  annotations   TEXT    NOT NULL,       -- JSON object
  PRIMARY KEY (subject, release, blob)
) STRICT, WITHOUT ROWID;

-- Content of releases that was found missing or damaged and is not known to be whole again (design D23): what lists and health tell.
CREATE TABLE damage (
  digest BLOB    PRIMARY KEY,
  found  TEXT    NOT NULL,
  at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A walk over all content that hashes it anew and was stopped: where it goes on, and what it came to so far.
CREATE TABLE scrub (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  begun_at INTEGER NOT NULL,
  after    BLOB    NOT NULL,            -- digest of the last content that had its turn
  checked  INTEGER NOT NULL,
  bytes    INTEGER NOT NULL,
  damaged  INTEGER NOT NULL,
  missing  INTEGER NOT NULL
) STRICT;

-- What the desired state of a release says: whose agents are answered also when the document itself is damaged.
CREATE TABLE release_target (
  release INTEGER NOT NULL REFERENCES release (id),
  target  BLOB    NOT NULL,
  name    TEXT    NOT NULL,
  kind    TEXT    NOT NULL CHECK (kind IN ('docker', 'kubernetes')),
  PRIMARY KEY (release, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE release_deployment (
  release     INTEGER NOT NULL REFERENCES release (id),
  deployment  BLOB    NOT NULL,
  target      BLOB    NOT NULL,
  application TEXT    NOT NULL,
  version     TEXT    NOT NULL,         -- label of the application, for people
  revision    BLOB    NOT NULL,
  place       INTEGER NOT NULL,         -- in the order of the release, target by target
  PRIMARY KEY (release, deployment)
) STRICT, WITHOUT ROWID;

-- Targets and deployments that the release says shall go.
CREATE TABLE release_removal (
  release INTEGER NOT NULL REFERENCES release (id),
  id      BLOB    NOT NULL,
  PRIMARY KEY (release, id)
) STRICT, WITHOUT ROWID;

-- Every revision that was ever live: agents report about earlier ones too, and they tell which release really runs.
CREATE TABLE known_revision (
  deployment      BLOB    NOT NULL,
  revision        BLOB    NOT NULL,
  target          BLOB    NOT NULL,
  scope           INTEGER NOT NULL REFERENCES scope (id),
  application     TEXT    NOT NULL,
  version         TEXT    NOT NULL,
  epoch           INTEGER NOT NULL,     -- the last release that had it live
  sequence        INTEGER NOT NULL,
  release_version TEXT    NOT NULL,
  first_at        INTEGER NOT NULL,
  last_at         INTEGER NOT NULL,
  PRIMARY KEY (deployment, revision)
) STRICT, WITHOUT ROWID;
CREATE INDEX known_revision_of_target ON known_revision (target, revision);

-- Values of secrets that were entered or made here, as far as they may be known: each stands in a file of secrets/, encrypted to the
-- recipient key, which says scope, name and target once more. What no row names there counts for nothing. A forgotten one is used no
-- more; it is known so that texts from before do not leave with it.
CREATE TABLE kept_secret (
  scope  INTEGER NOT NULL REFERENCES scope (id),
  name   TEXT    NOT NULL,
  target BLOB,                          -- none: the value of the whole site
  origin TEXT    NOT NULL CHECK (origin IN ('entered', 'generated', 'forgotten')),
  at     INTEGER NOT NULL,
  file   TEXT    NOT NULL UNIQUE
) STRICT;
CREATE UNIQUE INDEX one_kept_secret ON kept_secret (scope, name, ifnull(target, x''));

-- What agents were told in place of a stated revision, because it depends on values of this site: never leaves (secrets, section 4).
-- The highest number of a deployment is the present one.
CREATE TABLE site_revision (
  deployment BLOB    NOT NULL,
  revision   BLOB    NOT NULL,
  target     BLOB    NOT NULL,
  stated     BLOB    NOT NULL,          -- the one that it stands for: signed, or that of a target made here
  number     INTEGER NOT NULL UNIQUE,
  PRIMARY KEY (deployment, revision)
) STRICT, WITHOUT ROWID;
CREATE INDEX site_revision_of_target ON site_revision (target, revision);

-- Targets made here, which follow one of a release.
CREATE TABLE local_target (
  target     BLOB    PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  template   BLOB    NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whose a UUID of a target or deployment is (D18 b): the first product that stated it in an imported release, live or not, for good.
-- Rows never go; one without an owner was freed here, and the next that states it has it.
CREATE TABLE owner (
  id         BLOB    PRIMARY KEY,
  domain     BLOB,
  product    TEXT,
  live_in    INTEGER REFERENCES scope (id), -- the channel that had it live first, for as long as its live release states it
  generation INTEGER NOT NULL,          -- tokens of an earlier one are dead; grows over owners
  CHECK ((domain IS NULL) = (product IS NULL)),
  CHECK (live_in IS NULL OR domain IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX owner_live_in ON owner (live_in) WHERE live_in IS NOT NULL;

-- Releases that state what their product lost since: none of them can be made live again.
CREATE TABLE lost_claim (
  release INTEGER NOT NULL REFERENCES release (id),
  id      BLOB    NOT NULL REFERENCES owner (id),
  why     TEXT    NOT NULL CHECK (why IN ('freed', 'gone-over')),
  PRIMARY KEY (release, id)
) STRICT, WITHOUT ROWID;

-- Targets and deployments of a product that were taken away here, whatever its releases say.
CREATE TABLE local_removal (
  domain  BLOB    NOT NULL,
  product TEXT    NOT NULL,
  id      BLOB    NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (domain, product, id)
) STRICT, WITHOUT ROWID;

-- Secrets are the owner's: they go when the UUID changes hands.
CREATE TABLE target_secret (
  target     BLOB    PRIMARY KEY REFERENCES owner (id),
  mac        BLOB    NOT NULL,          -- HMAC-SHA-256 of the secret, never the secret
  verifier   BLOB,                      -- for a secret that the hub issued: hash of the verifier that let it in
  issued_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Credentials of people and machines that are no agents: what they may read, each in its order, and never the secret.
CREATE TABLE access (
  name       TEXT    PRIMARY KEY,
  mac        BLOB    NOT NULL UNIQUE,   -- HMAC-SHA-256 of the secret
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE access_grant (
  name         TEXT    NOT NULL REFERENCES access (name),
  place        INTEGER NOT NULL,
  domain       BLOB    NOT NULL,
  product      TEXT    NOT NULL,
  channel      TEXT    NOT NULL,
  repositories TEXT    NOT NULL,        -- a pattern
  PRIMARY KEY (name, place)
) STRICT, WITHOUT ROWID;

-- One for each act of a release: what of it leaves. Numbered in the stream of its trust domain.
CREATE TABLE receipt (
  domain   BLOB    NOT NULL,
  number   INTEGER NOT NULL,            -- 1, 2, 3 … without gaps
  at       INTEGER NOT NULL,
  head     BLOB    NOT NULL,
  result   TEXT    NOT NULL CHECK (result IN ('imported', 'activated', 'refused')),
  class    TEXT,                        -- of a refusal, as it is told
  code     TEXT,
  envelope BLOB    NOT NULL,            -- the signed receipt
  PRIMARY KEY (domain, number),
  CHECK ((class IS NULL) = (result <> 'refused') AND (code IS NULL) = (class IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_of_head ON receipt (head);

CREATE TABLE audit (
  number INTEGER PRIMARY KEY,           -- 1, 2, 3 … without gaps
  at     INTEGER NOT NULL,
  action TEXT    NOT NULL,
  detail TEXT    NOT NULL,              -- canonical JSON
  hash   BLOB    NOT NULL               -- over the previous hash and this row (SPEC section 10)
) STRICT;

-- What vendors found and told is read from here.
CREATE INDEX audit_of_acknowledgements ON audit (number) WHERE action IN ('acknowledge', 'ack-refuse', 'instance');

-- The stream log of each trust domain: what its vendor may learn of the rows that concern it, sealed for itself (SPEC section 15).
-- Action and time are those of the row of the whole log.
CREATE TABLE stream_audit (
  domain BLOB    NOT NULL,
  number INTEGER NOT NULL,              -- 1, 2, 3 … without gaps
  row    INTEGER NOT NULL REFERENCES audit (number),
  detail TEXT    NOT NULL,              -- canonical JSON
  seal   BLOB    NOT NULL,              -- over the previous seal and this row
  PRIMARY KEY (domain, number)
) STRICT, WITHOUT ROWID;

-- Where each instance begins in each stream: its first number of each kind, right after what was acknowledged.
CREATE TABLE instance_start (
  instance INTEGER NOT NULL REFERENCES instance (number),
  domain   BLOB    NOT NULL,
  records  INTEGER NOT NULL,
  receipts INTEGER NOT NULL,
  audit    INTEGER NOT NULL,
  PRIMARY KEY (instance, domain)
) STRICT, WITHOUT ROWID;

-- Status packages: one draft a stream at a time, and those that were signed. Their files stand in outbox/. A number is used when its
-- row says so.
CREATE TABLE package (
  domain    BLOB    NOT NULL,
  instance  INTEGER NOT NULL REFERENCES instance (number),
  number    INTEGER NOT NULL,           -- 1, 2, 3 … in the stream and instance
  head      BLOB    NOT NULL UNIQUE,    -- head digest
  state     TEXT    NOT NULL CHECK (state IN ('draft', 'signed', 'exported')),
  bytes     BLOB    NOT NULL,           -- entry 03: ranges, lineage, what it shows
  cut       INTEGER NOT NULL,           -- 1: a range ended early; the next package goes on behind it
  made_at   INTEGER NOT NULL,           -- when the stream was frozen
  size      INTEGER NOT NULL,           -- bytes of the file
  approvals INTEGER NOT NULL,           -- how many it needed where it was made: whoever lets it out may ask for more, and for no less
  PRIMARY KEY (domain, instance, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_draft ON package (domain) WHERE state = 'draft';

-- What a vendor has acknowledged: everything up to these numbers is in its ledger.
CREATE TABLE acknowledgement (
  domain   BLOB    NOT NULL,
  number   INTEGER NOT NULL,
  envelope BLOB    NOT NULL,            -- as it came
  records  INTEGER NOT NULL,
  receipts INTEGER NOT NULL,
  audit    INTEGER NOT NULL,
  package  BLOB,                        -- head digest of the last package that it, or the one before it, names
  at       INTEGER NOT NULL,
  PRIMARY KEY (domain, number)
) STRICT, WITHOUT ROWID;

-- How the appliance introduces itself, to each vendor alone; all are signed by the status key in force.
CREATE TABLE enrolment (
  domain   BLOB PRIMARY KEY,
  envelope BLOB NOT NULL
) STRICT, WITHOUT ROWID;
