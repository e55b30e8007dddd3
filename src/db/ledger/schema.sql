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
