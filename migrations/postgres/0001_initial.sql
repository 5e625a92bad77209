-- SPDX-FileCopyrightText: 2026 The Weiche authors
-- SPDX-License-Identifier: EUPL-1.2

-- Times are milliseconds since 1970 (UTC), ids 16 bytes, pseudonyms and hashes 32 bytes. No column holds data of a person in the clear.

-- Ledger -------------------------------------------------------------------------------------------------------------

-- The head of the log: one fixed row, taken first by every transaction that writes.
CREATE TABLE log_head (
    id            BIGINT PRIMARY KEY CHECK (id = 1),
    size          BIGINT NOT NULL,            -- number of leaves
    compact       BYTEA    NOT NULL,            -- roots of the perfect subtrees, 32 bytes each
    root          BYTEA    NOT NULL,            -- RFC 6962 root
    next_delivery BIGINT NOT NULL             -- order number of the next delivery: follows the order of the log
);

INSERT INTO log_head (id, size, compact, root, next_delivery)
VALUES (1, 0, '', '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 1);

CREATE TABLE log_leaf (
    idx       BIGINT PRIMARY KEY,
    entry     BYTEA NOT NULL,                   -- the exact bytes of a weiche.audit.v1.Entry
    leaf_hash BYTEA NOT NULL
);

-- Full tiles only; partial ones are leaf hashes (level 0) or roots of full tiles (above).
CREATE TABLE log_tile (
    level  BIGINT NOT NULL,
    n      BIGINT NOT NULL,
    hashes BYTEA NOT NULL,                      -- 256 * 32 bytes
    root   BYTEA NOT NULL,
    PRIMARY KEY (level, n)
);

CREATE FUNCTION log_is_written_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what is in the log is never changed and never removed';
END $$;
CREATE TRIGGER log_leaf_is_written_once BEFORE UPDATE OR DELETE ON log_leaf FOR EACH ROW EXECUTE FUNCTION log_is_written_once();
CREATE TRIGGER log_leaf_is_never_emptied BEFORE TRUNCATE ON log_leaf FOR EACH STATEMENT EXECUTE FUNCTION log_is_written_once();
CREATE TRIGGER log_tile_is_written_once BEFORE UPDATE OR DELETE ON log_tile FOR EACH ROW EXECUTE FUNCTION log_is_written_once();
CREATE TRIGGER log_tile_is_never_emptied BEFORE TRUNCATE ON log_tile FOR EACH STATEMENT EXECUTE FUNCTION log_is_written_once();

-- Salts of commitments: erasable, the leaf stays as an opaque hash.
CREATE TABLE log_opening (
    idx  BIGINT PRIMARY KEY,
    salt BYTEA NOT NULL
);

-- Keys of the persons' tags: erasable, the leaves stay unlinkable.
CREATE TABLE subject_key (
    subject BYTEA PRIMARY KEY,                  -- keyed pseudonym
    wrapped BYTEA NOT NULL
);

-- Idempotency --------------------------------------------------------------------------------------------------------

CREATE TABLE request (
    request_id BYTEA NOT NULL,                  -- chosen by the caller
    caller     TEXT NOT NULL,                  -- institution or operator
    digest     BYTEA NOT NULL,                  -- keyed digest of the content
    reply      BYTEA NOT NULL,                  -- the response without its receipt
    leaf       BIGINT NOT NULL,               -- index of the leaf that the receipt proves
    tree_size  BIGINT NOT NULL,               -- size of the log that the receipt proves it in
    at         BIGINT NOT NULL,
    PRIMARY KEY (request_id, caller)
);

-- Consents -----------------------------------------------------------------------------------------------------------

CREATE TABLE consent (
    id         BYTEA PRIMARY KEY,
    controller TEXT NOT NULL,
    version    BIGINT NOT NULL,
    record     TEXT NOT NULL,                  -- JSON of the current version; pseudonyms only
    changed_at BIGINT NOT NULL
);
CREATE INDEX consent_by_controller ON consent (controller, changed_at);

-- Every version ever in force: an auditor computes old decisions again.
CREATE TABLE consent_version (
    id      BYTEA NOT NULL,
    version BIGINT NOT NULL,
    record  TEXT NOT NULL,
    PRIMARY KEY (id, version)
);

-- Referrals ----------------------------------------------------------------------------------------------------------

CREATE TABLE referral (
    id              BYTEA PRIMARY KEY,
    sender          TEXT NOT NULL,
    sender_unit     TEXT NOT NULL,
    recipient       TEXT NOT NULL,
    recipient_unit  TEXT NOT NULL,
    purpose         BIGINT NOT NULL,
    state           BIGINT NOT NULL,
    reason          BIGINT NOT NULL,
    decision        BIGINT NOT NULL,
    version         BIGINT NOT NULL,          -- counts its changes
    consent         BYTEA,
    consent_version BIGINT NOT NULL,
    necessity       TEXT NOT NULL,
    onward          BIGINT NOT NULL,          -- carries data that the sender itself received
    origin          BYTEA,                      -- consent under which it received them
    subject         BYTEA NOT NULL,             -- keyed pseudonym
    carried         BIGINT NOT NULL,          -- category mask the sender sent
    stored          BIGINT NOT NULL,          -- category mask that was sealed
    case_number     BYTEA NOT NULL,             -- the sender's file number, sealed
    delivery        BYTEA NOT NULL,             -- the delivery that carries it
    submitted_at    BIGINT NOT NULL,
    changed_at      BIGINT NOT NULL,
    changed_leaf    BIGINT NOT NULL           -- leaf of the last change: cursor of WatchReferrals
);
CREATE INDEX referral_by_sender ON referral (sender, submitted_at);
CREATE INDEX referral_by_recipient ON referral (recipient, submitted_at);
CREATE INDEX referral_by_consent ON referral (consent) WHERE consent IS NOT NULL;
CREATE INDEX referral_by_origin ON referral (origin) WHERE origin IS NOT NULL;
CREATE INDEX referral_unfinished ON referral (submitted_at) WHERE state IN (2, 3, 4);

-- What happened to a referral; no data of the person.
CREATE TABLE referral_event (
    referral_id BYTEA NOT NULL,
    event_id BYTEA NOT NULL,
    state    BIGINT NOT NULL,
    reason   BIGINT NOT NULL,
    actor    TEXT NOT NULL,
    at       BIGINT NOT NULL,
    leaf     BIGINT NOT NULL,
    PRIMARY KEY (referral_id, event_id)
);

-- Outbox -------------------------------------------------------------------------------------------------------------

CREATE TABLE delivery (
    seq        BIGINT PRIMARY KEY,            -- order of acceptance, from log_head.next_delivery
    id         BYTEA NOT NULL UNIQUE,
    referral   BYTEA NOT NULL,
    recipient  TEXT NOT NULL,
    lane       BYTEA NOT NULL,                  -- person and recipient: the unit of order
    kind       BIGINT NOT NULL,               -- 1 referral, 2 status, 3 recall
    state      BIGINT NOT NULL,               -- 1 ready, 2 started, 3 delivered, 4 dead, 5 stopped
    in_front   BIGINT NOT NULL DEFAULT 0,     -- no open delivery of its lane is before it; 0 for those that wait behind another
    attempts   BIGINT NOT NULL,               -- counted before the attempt
    begun      BIGINT NOT NULL,               -- the same, never counted anew: 0 = no byte has ever left
    due_at     BIGINT NOT NULL,               -- ready: not before; started: end of the lease
    token      BYTEA,                           -- of the lease in force
    last_error TEXT NOT NULL,                  -- gRPC code of the last failure
    accepted_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);    -- changed twice in its life: room beside each row
CREATE UNIQUE INDEX delivery_open_in_order ON delivery (lane, seq) WHERE state IN (1, 2);
-- Only what is in front: a backlog of a million behind a recipient that is down costs the search nothing.
CREATE INDEX delivery_due ON delivery (recipient, due_at) WHERE state IN (1, 2) AND in_front = 1;
CREATE INDEX delivery_dead ON delivery (changed_at) WHERE state = 4;
CREATE INDEX delivery_by_referral ON delivery (referral);

-- Sealed contents, each with its wrapped key, by delivery. Erased, key and all, on acknowledgement plus the retention period.
CREATE TABLE payload (
    seq        BIGINT PRIMARY KEY,
    wrapped    BYTEA NOT NULL,
    ciphertext BYTEA NOT NULL
);

CREATE TABLE recall (
    id          BYTEA PRIMARY KEY,
    referral    BYTEA NOT NULL,
    recipient   TEXT NOT NULL,
    issued_at   BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    outcome     BIGINT NOT NULL,              -- 0 = not answered
    norm        TEXT NOT NULL,
    answered_at BIGINT NOT NULL               -- 0 = not answered
);
CREATE INDEX recall_open ON recall (due_at) WHERE outcome = 0;
CREATE INDEX recall_by_referral ON recall (referral);

-- Which agreement was in force when: auditors compute old decisions again.
CREATE TABLE agreement (
    digest BYTEA PRIMARY KEY,
    text   TEXT NOT NULL,
    since  BIGINT NOT NULL,                   -- when it first came into force
    leaf   BIGINT NOT NULL                    -- leaf that last put it into force: the highest is in force
);
