-- SPDX-FileCopyrightText: 2026 The Weiche authors
-- SPDX-License-Identifier: EUPL-1.2

-- Requests stand in the order of their coming and are found through an index of their ids. Callers draw these at random: a table that is sorted by them
-- costs each request two pages anywhere in a file of gigabytes, an index half as many of a tenth of that.
CREATE TABLE request_in_order (
    request_id BLOB NOT NULL,                  -- chosen by the caller
    caller     TEXT NOT NULL,                  -- institution or operator
    digest     BLOB NOT NULL,                  -- keyed digest of the content
    reply      BLOB NOT NULL,                  -- the response without its receipt
    leaf       INTEGER NOT NULL,               -- index of the leaf that the receipt proves
    tree_size  INTEGER NOT NULL,               -- size of the log that the receipt proves it in
    at         INTEGER NOT NULL
) STRICT;
INSERT INTO request_in_order SELECT request_id, caller, digest, reply, leaf, tree_size, at FROM request ORDER BY leaf;
DROP TABLE request;
ALTER TABLE request_in_order RENAME TO request;
-- After the rows: sorting them for it takes seconds, putting in one by one minutes.
CREATE UNIQUE INDEX request_by_id ON request (request_id, caller);
CREATE INDEX request_by_time ON request (at);
