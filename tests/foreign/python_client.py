# SPDX-FileCopyrightText: 2026 The Weiche authors
# SPDX-License-Identifier: Apache-2.0
"""A client that shares no line with the gateway carries a referral through it, natively and canonically, and looks at what arrives.

    python_client.py DIR ADDRESS
"""

import pathlib
import sys

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "python"))
from refer import fresh, refer  # noqa: E402
from weiche_client import CaseSystem  # noqa: E402


def check(promise, kept):
    if not kept:
        raise SystemExit(f"broken: {promise}")
    print(f"kept: {promise}")


def main(directory, address):
    seen = refer(directory, address)
    awo, drk = seen["awo"], seen["drk"]
    check("a native sender gets a receipt", awo["quittung"].startswith("c2sp.org/tlog-proof@v1\n"))
    check("the same request again gives the same receipt", seen["awo_again"] == awo)
    check("the sender learns what stays behind, in its own words", "Anschrift" in awo["bleibt_hier"].split(";"))
    check("a canonical sender gets a receipt", drk["receipt"]["text"].startswith("c2sp.org/tlog-proof@v1\n"))
    check("free text that nobody consented to stays behind", "DATA_CATEGORY_FREETEXT" in drk["decision"]["withheld"])

    by_name = {session["user"]["lastName"]: session for session in seen["sessions"]}
    check("both arrive in the recipient's words", sorted(by_name) == ["Al-Ḥasanī", "Yıldız"])
    native = by_name["Al-Ḥasanī"]
    check("a year of birth stays a year", native["user"]["birthYear"] == 1991)
    check("codes are translated", native["user"]["nationality"] == "SY" and native["topicIds"] == [12])
    check("what was not consented to does not arrive", "postcode" not in native and "Kommt dienstags" not in str(seen["sessions"]))
    check("the sender hears of it", seen["states"][-1] == "REFERRAL_STATE_ACCEPTED")

    agentur = CaseSystem(directory, address, "agentur-bremen-bremerhaven")
    for what, name, request, codes in [
        ("somebody else's case is not there", "weiche.exchange.v1.ReferralService/GetReferral", {"referral_id": drk["referral_id"]}, {"NOT_FOUND"}),
        ("an unknown case is not there either", "weiche.exchange.v1.ReferralService/GetReferral", {"referral_id": fresh()}, {"NOT_FOUND"}),
        ("another's dialect is closed", "awo.v1.Vermittlung/FallSenden", {}, {"PERMISSION_DENIED", "UNIMPLEMENTED"}),
    ]:
        try:
            agentur.call(name, request)
            code = "OK"
        except grpc.RpcError as refused:
            code = refused.code().name
        check(f"{what} ({code})", code in codes)


if __name__ == "__main__":
    main(*sys.argv[1:])
