-- SPDX-FileCopyrightText: 2026 The Weiche authors
-- SPDX-License-Identifier: EUPL-1.2

-- Times are milliseconds since 1970 (UTC), ids 16 bytes, pseudonyms and hashes 32 bytes. No column holds data of a person in the clear.

-- Ledger -------------------------------------------------------------------------------------------------------------

-- The head of the log: one fixed row, taken first by every transaction that writes.
CREATE TABLE log_head (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    size          INTEGER NOT NULL,            -- number of leaves
    compact       BLOB    NOT NULL,            -- roots of the perfect subtrees, 32 bytes each
    root          BLOB    NOT NULL,            -- RFC 6962 root
    next_delivery INTEGER NOT NULL             -- order number of the next delivery: follows the order of the log
) STRICT;

INSERT INTO log_head (id, size, compact, root, next_delivery)
VALUES (1, 0, x'', x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 1);

CREATE TABLE log_leaf (
    idx       INTEGER PRIMARY KEY,
    entry     BLOB NOT NULL,                   -- the exact bytes of a weiche.audit.v1.Entry
    leaf_hash BLOB NOT NULL
) STRICT;

-- Full tiles only; partial ones are leaf hashes (level 0) or roots of full tiles (above).
CREATE TABLE log_tile (
    level  INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    hashes BLOB NOT NULL,                      -- 256 * 32 bytes
    root   BLOB NOT NULL,
    PRIMARY KEY (level, n)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER log_leaf_is_written_once BEFORE UPDATE ON log_leaf BEGIN SELECT RAISE(ABORT, 'a leaf of the log is never changed'); END;
CREATE TRIGGER log_leaf_is_never_removed BEFORE DELETE ON log_leaf BEGIN SELECT RAISE(ABORT, 'a leaf of the log is never removed'); END;
CREATE TRIGGER log_tile_is_written_once BEFORE UPDATE ON log_tile BEGIN SELECT RAISE(ABORT, 'a tile of the log is never changed'); END;
CREATE TRIGGER log_tile_is_never_removed BEFORE DELETE ON log_tile BEGIN SELECT RAISE(ABORT, 'a tile of the log is never removed'); END;

-- Salts of commitments: erasable, the leaf stays as an opaque hash.
CREATE TABLE log_opening (
    idx  INTEGER PRIMARY KEY,
    salt BLOB NOT NULL
) STRICT;

-- Keys of the persons' tags: erasable, the leaves stay unlinkable.
CREATE TABLE subject_key (
    subject BLOB PRIMARY KEY,                  -- keyed pseudonym
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Idempotency --------------------------------------------------------------------------------------------------------

CREATE TABLE request (
    request_id BLOB NOT NULL,                  -- chosen by the caller
    caller     TEXT NOT NULL,                  -- institution or operator
    digest     BLOB NOT NULL,                  -- keyed digest of the content
    reply      BLOB NOT NULL,                  -- the response without its receipt
    leaf       INTEGER NOT NULL,               -- index of the leaf that the receipt proves
    tree_size  INTEGER NOT NULL,               -- size of the log that the receipt proves it in
    at         INTEGER NOT NULL,
    PRIMARY KEY (request_id, caller)
) STRICT, WITHOUT ROWID;

-- Consents -----------------------------------------------------------------------------------------------------------

CREATE TABLE consent (
    id         BLOB PRIMARY KEY,
    controller TEXT NOT NULL,
    version    INTEGER NOT NULL,
    record     TEXT NOT NULL,                  -- JSON of the current version; pseudonyms only
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX consent_by_controller ON consent (controller, changed_at);

-- Every version ever in force: an auditor computes old decisions again.
CREATE TABLE consent_version (
    id      BLOB NOT NULL,
    version INTEGER NOT NULL,
    record  TEXT NOT NULL,
    PRIMARY KEY (id, version)
) STRICT, WITHOUT ROWID;

-- Referrals ----------------------------------------------------------------------------------------------------------

CREATE TABLE referral (
    id              BLOB PRIMARY KEY,
    sender          TEXT NOT NULL,
    sender_unit     TEXT NOT NULL,
    recipient       TEXT NOT NULL,
    recipient_unit  TEXT NOT NULL,
    purpose         INTEGER NOT NULL,
    state           INTEGER NOT NULL,
    reason          INTEGER NOT NULL,
    decision        INTEGER NOT NULL,
    version         INTEGER NOT NULL,          -- counts its changes
    consent         BLOB,
    consent_version INTEGER NOT NULL,
    necessity       TEXT NOT NULL,
    onward          INTEGER NOT NULL,          -- carries data that the sender itself received
    origin          BLOB,                      -- consent under which it received them
    subject         BLOB NOT NULL,             -- keyed pseudonym
    carried         INTEGER NOT NULL,          -- category mask the sender sent
    stored          INTEGER NOT NULL,          -- category mask that was sealed
    case_number     BLOB NOT NULL,             -- the sender's file number, sealed
    delivery        BLOB NOT NULL,             -- the delivery that carries it
    submitted_at    INTEGER NOT NULL,
    changed_at      INTEGER NOT NULL,
    changed_leaf    INTEGER NOT NULL           -- leaf of the last change: cursor of WatchReferrals
) STRICT;
CREATE INDEX referral_by_sender ON referral (sender, submitted_at);
CREATE INDEX referral_by_recipient ON referral (recipient, submitted_at);
CREATE INDEX referral_by_consent ON referral (consent) WHERE consent IS NOT NULL;
CREATE INDEX referral_by_origin ON referral (origin) WHERE origin IS NOT NULL;
CREATE INDEX referral_unfinished ON referral (submitted_at) WHERE state IN (2, 3, 4);

-- What happened to a referral; no data of the person.
CREATE TABLE referral_event (
    referral_id BLOB NOT NULL,
    event_id BLOB NOT NULL,
    state    INTEGER NOT NULL,
    reason   INTEGER NOT NULL,
    actor    TEXT NOT NULL,
    at       INTEGER NOT NULL,
    leaf     INTEGER NOT NULL,
    PRIMARY KEY (referral_id, event_id)
) STRICT, WITHOUT ROWID;

-- Outbox -------------------------------------------------------------------------------------------------------------

CREATE TABLE delivery (
    seq        INTEGER PRIMARY KEY,            -- order of acceptance, from log_head.next_delivery
    id         BLOB NOT NULL UNIQUE,
    referral   BLOB NOT NULL,
    recipient  TEXT NOT NULL,
    lane       BLOB NOT NULL,                  -- person and recipient: the unit of order
    kind       INTEGER NOT NULL,               -- 1 referral, 2 status, 3 recall
    state      INTEGER NOT NULL,               -- 1 ready, 2 started, 3 delivered, 4 dead, 5 stopped
    in_front   INTEGER NOT NULL DEFAULT 0,     -- no open delivery of its lane is before it; 0 for those that wait behind another
    attempts   INTEGER NOT NULL,               -- counted before the attempt
    begun      INTEGER NOT NULL,               -- the same, never counted anew: 0 = no byte has ever left
    due_at     INTEGER NOT NULL,               -- ready: not before; started: end of the lease
    token      BLOB,                           -- of the lease in force
    last_error TEXT NOT NULL,                  -- gRPC code of the last failure
    accepted_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX delivery_open_in_order ON delivery (lane, seq) WHERE state IN (1, 2);
-- Only what is in front: a backlog of a million behind a recipient that is down costs the search nothing.
CREATE INDEX delivery_due ON delivery (recipient, due_at) WHERE state IN (1, 2) AND in_front = 1;
CREATE INDEX delivery_dead ON delivery (changed_at) WHERE state = 4;
CREATE INDEX delivery_by_referral ON delivery (referral);

-- Sealed contents, each with its wrapped key, by delivery. Erased, key and all, on acknowledgement plus the retention period.
CREATE TABLE payload (
    seq        INTEGER PRIMARY KEY,
    wrapped    BLOB NOT NULL,
    ciphertext BLOB NOT NULL
) STRICT;

CREATE TABLE recall (
    id          BLOB PRIMARY KEY,
    referral    BLOB NOT NULL,
    recipient   TEXT NOT NULL,
    issued_at   INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    outcome     INTEGER NOT NULL,              -- 0 = not answered
    norm        TEXT NOT NULL,
    answered_at INTEGER NOT NULL               -- 0 = not answered
) STRICT;
CREATE INDEX recall_open ON recall (due_at) WHERE outcome = 0;
CREATE INDEX recall_by_referral ON recall (referral);

-- Which agreement was in force when: auditors compute old decisions again.
CREATE TABLE agreement (
    digest BLOB PRIMARY KEY,
    text   TEXT NOT NULL,
    since  INTEGER NOT NULL,                   -- when it first came into force
    leaf   INTEGER NOT NULL                    -- leaf that last put it into force: the highest is in force
) STRICT;
