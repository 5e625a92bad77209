-- SPDX-FileCopyrightText: 2026 The Weiche authors
-- SPDX-License-Identifier: EUPL-1.2

-- Nothing to do: here requests stand in the order of their coming already. In a file they do from this version on.
SELECT 1;
