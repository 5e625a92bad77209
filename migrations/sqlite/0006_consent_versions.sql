-- SPDX-FileCopyrightText: 2026 The Weiche authors
-- SPDX-License-Identifier: EUPL-1.2

-- Only what is no longer in force: the present version stands in `consent`, and most consents never get a second one.
DELETE FROM consent_version WHERE EXISTS (SELECT 1 FROM consent c WHERE c.id = consent_version.id AND c.version = consent_version.version);
