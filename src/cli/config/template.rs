// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::net::SocketAddr;

/// The file that `weiche init` writes. Lines that begin with `#:` show a default.
pub fn template(trust_domain: &str, institutions: SocketAddr, operators: SocketAddr, ops: SocketAddr, store: &str) -> String {
    format!(
        r##"# Configuration of the gateway. Paths are relative to this file. Check it with `weiche check --config weiche.toml`.
# Lines that begin with "#:" show a default. SIGHUP reads the agreement, the dialects and the certificates again, not this file.

# The domain of all SPIFFE URIs in certificates.
trust_domain = "{trust_domain}"

# Folders with dialects besides those of the program: .proto files or a .binpb each. SIGHUP reads them again; check one with `weiche dialect check`.
#: dialects = []

# Where case systems call, over mutual TLS.
[institutions]
# Address and port.
listen = "{institutions}"
# Certificate of the gateway and of its issuing authority, PEM.
certificate = "certs/server.pem"
# Private key of that certificate, PEM.
key = "certs/server.key"
# Authorities that issue certificates of case systems, PEM.
trusted = "certs/institutions-ca.pem"

# Where admins and auditors call, over mutual TLS.
[operators]
# Address and port.
listen = "{operators}"
# Certificate of the gateway and of its issuing authority, PEM.
certificate = "certs/server.pem"
# Private key of that certificate, PEM.
key = "certs/server.key"
# Authorities that issue certificates of operators, PEM.
trusted = "certs/operators-ca.pem"

# Health and metrics in plain HTTP: /healthz, /readyz, /metrics. Without this section there is no such port.
[ops]
# Loopback only.
listen = "{ops}"

# Everything that is accepted.
[database]
# A file of SQLite (nothing to set up, one gateway), or the address of a PostgreSQL database (several gateways, high availability):
# "postgres://weiche@db.example.invalid:5432/weiche?sslmode=verify-full". A password may stand in PGPASSWORD or ~/.pgpass instead of here.
store = "{store}"
# So many MiB stay free on the disk of a file, but never more than a tenth of it, 0 to 1048576. With less, new referrals and consents are refused;
# withdrawals, acknowledgements, answers and erasures go on. The disk of a server is the server's.
#: reserve_mib = 1024

# The log of every decision.
[ledger]
# The key that signs it. Lost, the log ends; stolen, it can be forged.
key = "keys/ledger.key"
# What was signed last. Never restore it together with the database: it is what tells that the database is old.
guard = "keys/ledger.guard"

# The payloads, sealed one by one.
[vault]
# The key under which their keys are wrapped. Lost, nothing that waits can be delivered. Never store it beside the database's backups.
key = "keys/vault.key"

# The cooperation agreement: members, routes, purposes, data.
[agreement]
# TOML file; a change is put into force by SIGHUP and noted in the log.
file = "agreement.toml"

# Calls to institutions that take deliveries.
[deliveries]
# Certificate that the gateway shows to them, and of its issuing authority, PEM.
certificate = "certs/gateway.pem"
# Private key of that certificate, PEM.
key = "certs/gateway.key"
# Authorities that issue certificates of case systems, PEM.
trusted = "certs/institutions-ca.pem"
# How long one attempt may take, 5 to 600. A withdrawal that comes meanwhile learns that bytes may be on their way until then.
#: lease_seconds = 30

# What ends by itself.
[referrals]
# A referral that nobody delivered or answered for so many days ends as expired, 1 to 365.
#: expire_after_days = 90

# How long what is kept. What is due is erased with its keys, and the log says how much; `weiche retention run` shows it before.
[retention]
# Sealed contents, so many days after the recipient has acknowledged them or they were stopped, 0 to 90 (Art. 5(1)(e) GDPR: 7 to 14 is usual).
#: contents_days = 7
# Sealed contents of deliveries that were given up, 1 to 90; until then an operator can put them back.
#: dead_letters_days = 14
# Answers to earlier calls, 7 to 366: for so long a call that is repeated gets the same answer.
#: requests_days = 90
# Referrals with their history, so many full calendar years after the year of their last change, 0 to 10 (after section 76(4) BDSG).
#: transfers_years = 1
# Consents whose records say no day of their own, so many full calendar years after the year in which they end, 0 to 30 (sections 195, 199 BGB).
# Holds for records from then on: each carries the day that the person was told.
#: consents_years = 3
# How often, 1 to 168.
#: every_hours = 24

# How much at once.
[limits]
# Connections of one listener.
#: connections = 512
# Connections of one institution or operator.
#: connections_per_caller = 8
# Calls in flight at one listener.
#: calls = 256
# Streams that are open at one listener.
#: streams = 512

# The end.
[shutdown]
# From SIGTERM to the end of the process, 1 to 600.
#: drain_seconds = 20

# Logs, on standard error.
[log]
# "text" for people, "json" for collectors.
format = "text"
# A level, or a filter such as "info,weiche::grpc=debug". The environment variable WEICHE_LOG overrides it.
level = "info"
"##
    )
}
