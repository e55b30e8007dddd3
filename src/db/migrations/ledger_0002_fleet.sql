-- ledger.db, version 2: what each signed release told targets to run, so that the next one drops nothing unsaid.

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
