-- SPDX-FileCopyrightText: 2026 The Weiche authors
-- SPDX-License-Identifier: EUPL-1.2

-- Codes on the persons' printed receipts. Only a keyed digest is kept: whoever reads the database learns no code.
CREATE TABLE consent_code (
    code    BYTEA PRIMARY KEY,                 -- keyed digest of the code
    consent BYTEA NOT NULL
);
CREATE INDEX consent_code_by_consent ON consent_code (consent);

-- What reminders look for, taken out of the record.
ALTER TABLE consent ADD COLUMN ends_at BIGINT NOT NULL DEFAULT 0;        -- end of validity of one in force; 0 = it is not in force
ALTER TABLE consent ADD COLUMN entitled_until BIGINT NOT NULL DEFAULT 0; -- of one in force: until when its grantor may speak; 0 = without end
ALTER TABLE consent ADD COLUMN withdrawn_elsewhere BIGINT NOT NULL DEFAULT 0; -- when another institution last passed on a withdrawal; 0 = never
UPDATE consent SET
    ends_at = coalesce((record::jsonb ->> 'valid_until')::bigint, 0),
    entitled_until = coalesce((record::jsonb -> 'grantor' ->> 'entitled_until')::bigint, 0)
WHERE record::jsonb ->> 'status' = 'ACTIVE';
CREATE INDEX consent_ending ON consent (controller, ends_at) WHERE ends_at > 0;
CREATE INDEX consent_entitled ON consent (controller, entitled_until) WHERE entitled_until > 0;
CREATE INDEX consent_withdrawn ON consent (controller, withdrawn_elsewhere) WHERE withdrawn_elsewhere > 0;

-- Of a recall before these columns nothing more is known, and nobody is reminded of it; operators see it all the same.
ALTER TABLE recall ADD COLUMN reason BIGINT NOT NULL DEFAULT 0;          -- why; 0 = not known
ALTER TABLE recall ADD COLUMN categories BIGINT NOT NULL DEFAULT 0;      -- category mask of what is no longer covered; 0 = all
ALTER TABLE recall ADD COLUMN reminders BIGINT NOT NULL DEFAULT 0;       -- how often its recipient was reminded
ALTER TABLE recall ADD COLUMN remind_at BIGINT NOT NULL DEFAULT 0;       -- when the next reminder goes out; 0 = none does
CREATE INDEX recall_to_remind ON recall (remind_at) WHERE outcome = 0 AND remind_at > 0;
CREATE INDEX recall_by_recipient ON recall (recipient, due_at) WHERE outcome = 0;
