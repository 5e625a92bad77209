-- SPDX-FileCopyrightText: 2026 The Weiche authors
-- SPDX-License-Identifier: EUPL-1.2

-- What is known of a person beside the key: when it was made, what the person asked for, and what must not be erased yet.
ALTER TABLE subject_key ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;         -- when the key was made; 0 = before this column was
ALTER TABLE subject_key ADD COLUMN restricted_at INTEGER NOT NULL DEFAULT 0;   -- since when processing is restricted (Art. 18 GDPR); 0 = it is not
ALTER TABLE subject_key ADD COLUMN held_until INTEGER NOT NULL DEFAULT 0;      -- nothing of the person is erased before; 0 = no legal hold
ALTER TABLE subject_key ADD COLUMN hold_reason TEXT NOT NULL DEFAULT '';       -- sealed
CREATE INDEX subject_held ON subject_key (held_until) WHERE held_until > 0;

-- To find what is there of one person, and what may go.
ALTER TABLE consent ADD COLUMN subject BLOB;                                   -- keyed pseudonym, as in the record
ALTER TABLE consent ADD COLUMN delete_after INTEGER NOT NULL DEFAULT 0;        -- when the evidence may go; 0 = not looked at yet
UPDATE consent SET subject = unhex(json_extract(record, '$.subject'));
CREATE INDEX consent_by_subject ON consent (subject);
CREATE INDEX consent_by_end ON consent (delete_after, id);
CREATE INDEX referral_by_subject ON referral (subject);
CREATE INDEX request_by_time ON request (at);

-- Referrals of persons whose German was below B1 when they were submitted, under a consent that was explained in German and without an interpreter.
-- For auditors; the level itself is not kept.
CREATE TABLE unexplained (
    referral BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
