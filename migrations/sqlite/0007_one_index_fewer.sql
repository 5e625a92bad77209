-- SPDX-FileCopyrightText: 2026 The Weiche authors
-- SPDX-License-Identifier: EUPL-1.2

-- What rests on a consent is of the person who gave it, and found by that: an index of consents costs a page for each referral.
DROP INDEX referral_by_consent;
