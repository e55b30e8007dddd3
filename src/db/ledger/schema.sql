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

CREATE TABLE signed_revision (
  revision   BLOB    NOT NULL,          -- UUID
  deployment BLOB    NOT NULL,          -- UUID
  head       INTEGER NOT NULL REFERENCES signed_head (id),
  PRIMARY KEY (revision, deployment, head)
) STRICT, WITHOUT ROWID;
