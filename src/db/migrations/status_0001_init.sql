-- status.db, version 1: whose status it is. What agents report gets its tables with the status buffer.

CREATE TABLE meta (
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  site TEXT    NOT NULL                   -- site id, 32 hex digits; the same as in airlock.db
) STRICT;
