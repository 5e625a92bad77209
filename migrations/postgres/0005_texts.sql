-- SPDX-FileCopyrightText: 2026 The Weiche authors
-- SPDX-License-Identifier: EUPL-1.2

-- What operators did to the texts that people agree to, between two agreements: approved or revoked.
CREATE TABLE text_change (
    leaf   BIGINT PRIMARY KEY,                 -- leaf that says so: the order in which the changes hold
    change TEXT NOT NULL                       -- JSON
);
