-- airlock.db, version 2: agents. UUIDs are 16 bytes. Rows of a release stand for this site only and never change.

-- Grows with every change of targets and their credentials; a running server watches it.
ALTER TABLE appliance ADD COLUMN agents INTEGER NOT NULL DEFAULT 0;

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

-- Targets made here, which follow one of a release.
CREATE TABLE local_target (
  target     BLOB    PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  template   BLOB    NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Targets and deployments that were taken away here, whatever releases say.
CREATE TABLE local_removal (
  id BLOB    PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE target_secret (
  target     BLOB    PRIMARY KEY,
  generation INTEGER NOT NULL,          -- tokens of an earlier one are dead
  mac        BLOB    NOT NULL,          -- HMAC-SHA-256 of the secret, never the secret
  verifier   BLOB,                      -- for a secret that the hub issued: hash of the verifier that let it in
  issued_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
