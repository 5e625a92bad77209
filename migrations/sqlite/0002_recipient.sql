-- SPDX-FileCopyrightText: 2026 The Weiche authors
-- SPDX-License-Identifier: EUPL-1.2

-- What operators know and want of a recipient as a whole. Parking is in the log; the last success is a help for the eye and proves nothing.
CREATE TABLE recipient (
    id           TEXT PRIMARY KEY,
    parked_until INTEGER NOT NULL,             -- nothing is released to it before; 0 = not parked
    last_success INTEGER NOT NULL              -- when it last acknowledged something, to some seconds; 0 = never
) STRICT, WITHOUT ROWID;
