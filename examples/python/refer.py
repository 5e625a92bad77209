# SPDX-FileCopyrightText: 2026 The Weiche authors
# SPDX-License-Identifier: Apache-2.0
"""A referral from end to end, as seen by three case systems: AWO speaks its own contract, DRK the canonical one, and Caritas fetches what is for it.

    python refer.py --dir DIR --address localhost:PORT

Everything in here is invented.
"""

import argparse
import datetime
import hashlib
import pathlib
import uuid

from weiche_client import CaseSystem, Contract

TEXT = pathlib.Path(__file__).resolve().parents[2] / "agreement" / "texts" / "bremen-standard-3.de.txt"
RECIPIENT, RECIPIENT_UNIT = "caritas-bremen", "mbe-mitte"


def text_sha256():
    """Hash of the text that the person agreed to, as the agreement lists it."""
    return hashlib.sha256(TEXT.read_bytes()).hexdigest()


def days_from_now(days):
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=days)


def awo_consent(consent_id, person):
    """A consent as AWO's system keeps it: flat, German, all strings."""

    def day(days):
        return days_from_now(days).strftime("%d.%m.%Y %H:%M")

    told = ("zweck", "folgen", "widerruf", "empfaenger", "dauer", "rechte", "weitergabe")
    return {
        "schema": "1",
        "ew_nr": consent_id,
        "erfasst_von": "beratung",
        "personen_nr": person,
        "traeger": "awo-bremen",
        "beratungsstelle": "mbe-groepelingen",
        "datenschutzrecht": "DSGVO",
        "datenschutz_kontakt": "datenschutz@awo.example.invalid",
        "erlaubnisse": [
            {
                "empfaenger": RECIPIENT,
                "empfaenger_stelle": RECIPIENT_UNIT,
                "zweck": "Familiennachzug",
                "daten": "Stammdaten;Kontakt;Sprachen;Staatsangehörigkeit;Anliegen",
                "rueckmeldung": "Ergebnis",
            }
        ],
        "entbundene": "Beratungsfachkraft Migrationsberatung",
        "entbunden_nr": "6",
        "entbunden_gegenueber": RECIPIENT,
        "form": "schriftlich",
        "nachweis_art": "application/pdf",
        "nachweis_sha256": "ab" * 32,
        "nachweis_ort": "Akte HB-2026-00417, Blatt 3",
        "vordruck": "bremen-standard",
        "vordruck_fassung": "3",
        "vordruck_sha256": text_sha256(),
        "vordruck_sprache": "de",
        "erklaert_sprache": "ar",
        "erklaert_wie": "Dolmetscher vor Ort",
        "dolmetscher": "Berufsdolmetscher",
        "dolmetscher_verpflichtet": "ja",
        **{f"aufgeklaert_{what}": "ja" for what in told},
        "eingeholt_bei": "awo-bremen",
        "keine_leistung_abhaengig": "ja",
        "gegeben_am": day(-2),
        "gilt_ab": day(-2),
        "gilt_bis": day(180),
        "gegeben_von": "selbst",
        "einsicht": "einwilligungsfähig",
        "stand": "gültig",
        "geprueft": "in Ordnung",
        "loeschen_nach": "31.12.2030",
        "loeschen_grund": "§§ 195, 199 BGB",
    }


def awo_case(consent_id, person):
    """A case as AWO's system keeps it. The address is not covered by the consent and will stay behind."""
    return {
        "fallnummer": "HB-2026-00417",
        "name": "Al-Ḥasanī, Nūr",
        "geb": "00.00.1991",
        "geschlecht": "2",
        "staat": "475",
        "sprachen": "Arabisch;Kurdisch (Kurmandschi)",
        "anschrift": "Musterweg 1, 28237 Bremen",
        "tel": "0171/39200-12",
        "anliegen": "AN",
        "ew_nr": consent_id,
        "personen_nr": person,
        "absender": "awo-bremen",
        "absender_stelle": "mbe-groepelingen",
        "empfaenger": RECIPIENT,
        "empfaenger_stelle": RECIPIENT_UNIT,
        "zweck": "Familiennachzug",
    }


def canonical_consent(consent_id, person):
    """A consent in the canonical contract, as a system without words of its own would send it."""

    def at(days):
        return days_from_now(days).isoformat().replace("+00:00", "Z")

    return {
        "schema_version": "1",
        "consent_id": consent_id,
        "recorded_by_role": "beratung",
        "subject_ref": person,
        "controller": {"institution": "drk-bremen", "unit": "mbe-vegesack"},
        "regime": "DATA_PROTECTION_REGIME_GDPR_BDSG",
        "dpo_contact": "datenschutz@drk.example.invalid",
        "grants": [
            {
                "recipient": {"institution": RECIPIENT, "unit": RECIPIENT_UNIT},
                "purpose": "PURPOSE_COUNSELLING_REFERRAL",
                "categories": ["DATA_CATEGORY_IDENT", "DATA_CATEGORY_CONTACT", "DATA_CATEGORY_LANG"],
                "feedback_categories": ["DATA_CATEGORY_OUTCOME"],
            }
        ],
        "secrecy_release": {"functions": ["Beratungsfachkraft Migrationsberatung"], "professions": [6], "towards": [RECIPIENT]},
        "form": "CONSENT_FORM_WRITTEN_SIGNATURE",
        "evidence": {"media_type": "application/pdf", "sha256": "cd" * 32, "location": "Akte 12, Blatt 1"},
        "template": {"template_id": "bremen-standard", "version": "3", "text_sha256": text_sha256(), "language": "de"},
        "explanation": {"language": "de", "mode": "EXPLANATION_MODE_SELF_READ", "interpreter": "INTERPRETER_KIND_NONE"},
        "informed_of": {
            "purpose": True,
            "refusal_consequences": True,
            "withdrawal": True,
            "recipients": True,
            "retention": True,
            "rights": True,
            "onward_duties": True,
        },
        "voluntariness": {"collected_by": "drk-bremen", "no_benefit_linkage": True},
        "granted_at": at(-2),
        "valid_from": at(-2),
        "valid_until": at(180),
        "grantor": {"kind": "GRANTOR_KIND_SELF"},
        "capability": "CONSENT_CAPABILITY_ASSESSED_CAPABLE",
        "status": "CONSENT_STATUS_ACTIVE",
        "quality": "CONSENT_QUALITY_CHECKED_OK",
        "retention": {"delete_after": {"year": 2030, "month": 12, "day": 31}, "basis": "sections 195, 199 BGB"},
    }


def canonical_referral(consent_id, person):
    return {
        "sender_case_number": "VEG-17",
        "subject_ref": person,
        "sender": {"institution": "drk-bremen", "unit": "mbe-vegesack"},
        "recipient": {"institution": RECIPIENT, "unit": RECIPIENT_UNIT},
        "purpose": "PURPOSE_COUNSELLING_REFERRAL",
        "consent": {"consent_id": consent_id},
        "subject": {
            "name": {"family": "Yıldız", "given": "Ayşe"},
            "birth_date": {"year": 1988, "month": 5, "day": 4},
            "contact_points": [{"system": "phone", "value": "+493023125001"}],
        },
        "free_text": "Kommt dienstags gern vor zehn.",
    }


def fresh():
    return str(uuid.uuid4())


def refer(directory, address, tell=print):
    """The whole story; returns what each side saw, for whoever wants to look closer."""
    contract = Contract()
    awo, drk, caritas = (CaseSystem(directory, address, name, contract) for name in ("awo-bremen", "drk-bremen", RECIPIENT))
    seen = {}

    consent, person = fresh(), "p-" + fresh()[:8]
    recorded = awo.call("awo.v1.Vermittlung/EinwilligungErfassen", {"anfrage_nr": fresh(), "einwilligung": awo_consent(consent, person)})
    tell(f"AWO recorded a consent, version {recorded['fassung']}")
    request = {"anfrage_nr": fresh(), "fall": awo_case(recorded["ew_nr"], person)}
    seen["awo"] = awo.call("awo.v1.Vermittlung/FallSenden", request)
    tell(f"AWO submitted a case in its own words; staying behind: {seen['awo'].get('bleibt_hier', 'nothing')}")
    # After a broken connection a sender simply asks again with the same number.
    seen["awo_again"] = awo.call("awo.v1.Vermittlung/FallSenden", request)

    consent, person = fresh(), "p-" + fresh()[:8]
    drk.call("weiche.exchange.v1.ConsentService/RecordConsent", {"request_id": fresh(), "consent": canonical_consent(consent, person)})
    referral = canonical_referral(consent, person)
    seen["drk"] = drk.call("weiche.exchange.v1.ReferralService/SubmitReferral", {"request_id": fresh(), "referral": referral})
    tell(f"DRK submitted a referral in the canonical contract; withheld: {seen['drk']['decision'].get('withheld', [])}")

    sessions = seen["sessions"] = []

    def keep(item):
        if "session" in item and item["session"]["referralId"] not in [session["referralId"] for session in sessions]:
            sessions.append(item["session"])
        return len(sessions) < 2

    caritas.receive(
        "caritas.v1.SessionService/Poll",
        keep,
        first={"credits": 4},
        acknowledge=lambda item: {"ack": {"deliveryId": item["deliveryId"], "token": item["token"]}},
    )
    tell(f"Caritas fetched {len(sessions)} sessions in its own words")

    for session in sessions:
        event = {"referralId": session["referralId"], "eventId": fresh(), "state": "ACCEPTED"}
        caritas.call("caritas.v1.SessionService/AnswerSession", {"requestId": fresh(), "event": event})

    states = seen["states"] = []

    def keep_status(item):
        if "status" in item:
            states.append(item["status"]["state"])
        return "REFERRAL_STATE_ACCEPTED" not in states

    drk.receive(
        "weiche.exchange.v1.InboxService/Receive",
        keep_status,
        first={"credits": 4},
        acknowledge=lambda item: {"acknowledgement": {"delivery_id": item["delivery_id"], "lease_token": item["lease_token"]}},
    )
    tell("Caritas accepted both; DRK has been told")
    return seen


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--dir", required=True, help="what `weiche init` wrote")
    arguments.add_argument("--address", required=True, help="host:port of the institutions' listener")
    given = arguments.parse_args()
    refer(given.dir, given.address)
