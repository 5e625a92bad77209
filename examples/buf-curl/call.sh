#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The Weiche authors
# SPDX-License-Identifier: Apache-2.0
#
# Calls one method of a running gateway with an institution's certificate.
#
#   call.sh DIR ADDRESS INSTITUTION METHOD [JSON]
#   call.sh try localhost:8443 awo-bremen weiche.exchange.v1.ReferralService/ListReferrals '{"pageSize": 10}'
#
# DIR is what `weiche init DIR` wrote. Needs buf: `npm ci` in the project's folder puts it where this script looks.
set -euo pipefail
[ $# -ge 4 ] || { sed -n '5,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
project="$(cd "$(dirname "$0")/../.." && pwd)"
buf="${BUF:-$project/node_modules/.bin/buf}"
certs="$1/certs"
exec "$buf" curl --protocol grpc --schema "$project/proto" \
    --cacert "$certs/root.pem" --cert "$certs/institution/$3.pem" --key "$certs/institution/$3.key" \
    --data "${5:-{\}}" "https://$2/$4"
