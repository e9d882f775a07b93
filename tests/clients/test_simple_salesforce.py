"""simple-salesforce, unmodified, against the emulated org. Run by `cargo xtask test`, which gives addresses and
credentials; TLS goes to the org's real host name through the CONNECT proxy (HTTPS_PROXY, REQUESTS_CA_BUNDLE)."""

import csv
import io
import json
import os
import unittest
import urllib.request
import warnings
from datetime import datetime, timedelta

from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

ORG = json.loads(os.environ["ORGTIDE_CLIENTS"])
VERSION = "60.0"
# The app that knows the certificate of this key.
PRIVATE_KEY = "emulator/tests/it/keys/client.key.pem"


def by_client_credentials(secret=ORG["client_secret"]):
    return Salesforce(
        consumer_key=ORG["client_id"], consumer_secret=secret, domain=ORG["domain"], version=VERSION
    )


def by_assertion(username):
    """The library's assertions live for three minutes, so the emulated clock must not be moved further than that."""
    return Salesforce(
        username=username, consumer_key=ORG["jwt_client_id"], privatekey_file=PRIVATE_KEY, domain=ORG["domain"], version=VERSION
    )


def over_plain_http():
    """The same session on the loopback endpoint: the library cannot sign in without TLS."""
    session = by_client_credentials().session_id
    org = Salesforce(instance_url=ORG["plain"], session_id=session, version=VERSION)
    for name in ("base_url", "bulk2_url"):
        setattr(org, name, getattr(org, name).replace("https://", "http://"))
    return org


def contacts(org):
    return org.query("SELECT COUNT() FROM Contact")["totalSize"]


def pass_minutes(minutes):
    """Moves the emulated clock: an org lists changes by whole minutes that have passed."""
    body = json.dumps({"seconds": minutes * 60}).encode()
    request = urllib.request.Request(ORG["plain"] + "/__emulator/clock", data=body)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        answer.read()


class SigningIn(unittest.TestCase):
    def test_client_credentials_open_a_session(self):
        org = by_client_credentials()
        self.assertEqual(org.sf_instance, ORG["host"])
        self.assertGreater(org.limits()["DailyApiRequests"]["Max"], 0)

    def test_password_and_security_token_open_a_session(self):
        org = Salesforce(
            username=ORG["username"],
            password=ORG["password"] + ORG["security_token"],
            consumer_key=ORG["client_id"],
            consumer_secret=ORG["client_secret"],
            domain=ORG["domain"],
            version=VERSION,
        )
        self.assertGreater(contacts(org), 0)

    def test_a_signed_assertion_opens_a_session(self):
        org = by_assertion(ORG["username"])
        self.assertEqual(org.sf_instance, ORG["host"])
        self.assertGreater(contacts(org), 0)

    def test_an_assertion_for_nobody_is_told_that_nobody_approved(self):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            with self.assertRaises(SalesforceAuthenticationFailed):
                by_assertion("nobody@acme.example")
        # The library knows this error by its text alone, and explains it.
        self.assertIn("authorize", " ".join(str(warning.message) for warning in warned))

    def test_soap_login_opens_a_session(self):
        org = Salesforce(
            username=ORG["username"],
            password=ORG["password"],
            security_token=ORG["security_token"],
            domain=ORG["domain"],
            version=VERSION,
        )
        self.assertGreater(contacts(org), 0)

    def test_soap_login_says_what_is_wrong(self):
        with self.assertRaises(SalesforceAuthenticationFailed) as refused:
            Salesforce(username=ORG["username"], password="wrong", security_token="", domain=ORG["domain"])
        self.assertEqual(refused.exception.code, "INVALID_LOGIN")

    def test_a_wrong_secret_is_refused_with_the_reason(self):
        with self.assertRaises(SalesforceAuthenticationFailed) as refused:
            by_client_credentials(secret="wrong")
        self.assertEqual(refused.exception.code, "invalid_client")

    def test_a_made_up_session_is_expired(self):
        org = Salesforce(instance_url=ORG["url"], session_id="00D!made.up", version=VERSION)
        with self.assertRaises(SalesforceExpiredSession):
            org.query("SELECT Id FROM Contact LIMIT 1")


class Reading(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.org = by_client_credentials()

    def test_describe_gives_types_and_references(self):
        names = [entry["name"] for entry in self.org.describe()["sobjects"]]
        self.assertIn("Contact", names)
        fields = {field["name"]: field for field in self.org.Contact.describe()["fields"]}
        self.assertEqual(fields["Id"]["type"], "id")
        self.assertEqual(fields["AccountId"]["referenceTo"], ["Account"])

    def test_query_all_pages_reach_every_record(self):
        rows = self.org.query_all_iter("SELECT Id FROM Contact")
        self.assertEqual(len({row["Id"] for row in rows}), contacts(self.org))

    def test_a_page_is_asked_for_by_its_address(self):
        first = self.org.query("SELECT Id FROM Contact")
        self.assertFalse(first["done"])
        second = self.org.query_more(first["nextRecordsUrl"], identifier_is_url=True)
        self.assertNotEqual(first["records"][0]["Id"], second["records"][0]["Id"])

    def test_deleted_records_are_seen_by_query_all_alone(self):
        made = self.org.Account.create({"Name": "Short-lived"})["id"]
        self.assertEqual(self.org.Account.delete(made), 204)
        soql = f"SELECT Id, IsDeleted FROM Account WHERE Id = '{made}'"
        self.assertEqual(self.org.query(soql)["totalSize"], 0)
        deleted = self.org.query(soql, include_deleted=True)
        self.assertEqual([row["IsDeleted"] for row in deleted["records"]], [True])

    def test_updated_and_deleted_ids_are_listed(self):
        made = self.org.Account.create({"Name": "Listed"})["id"]
        row = self.org.query(f"SELECT SystemModstamp FROM Account WHERE Id = '{made}'")["records"][0]
        stamp = datetime.fromisoformat(row["SystemModstamp"][:19] + "+00:00")
        window = (stamp - timedelta(minutes=5), stamp + timedelta(minutes=5))
        pass_minutes(1)
        self.assertIn(made, self.org.Account.updated(*window)["ids"])
        self.org.Account.delete(made)
        pass_minutes(1)
        self.assertIn(made, [gone["id"] for gone in self.org.Account.deleted(*window)["deletedRecords"]])

    def test_an_unknown_record_is_not_found(self):
        with self.assertRaises(SalesforceResourceNotFound):
            self.org.Account.get("001000000000000AAA")

    def test_a_malformed_query_says_what_is_wrong(self):
        with self.assertRaises(SalesforceMalformedRequest) as refused:
            self.org.query("SELECT FROM Contact")
        self.assertEqual(refused.exception.content[0]["errorCode"], "MALFORMED_QUERY")

    def test_text_in_every_script_comes_back_unchanged(self):
        text = 'Łódź, "Quoted"; 東京 🗼\nsecond line, N/A'
        made = self.org.Account.create({"Name": "Scripts", "Description": text})["id"]
        self.assertEqual(self.org.Account.get(made)["Description"], text)
        self.org.Account.delete(made)

    def test_plain_http_serves_the_same_org(self):
        plain = over_plain_http()
        self.assertEqual(contacts(plain), contacts(self.org))


class Bulk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.org = by_client_credentials()

    def rows(self, pages):
        return [row for page in pages for row in csv.DictReader(io.StringIO(page))]

    def test_a_query_in_many_pages_reaches_every_record(self):
        pages = list(self.org.bulk2.Contact.query("SELECT Id, LastName FROM Contact", max_records=700, wait=0))
        self.assertGreater(len(pages), 1)
        self.assertEqual(len({row["Id"] for row in self.rows(pages)}), contacts(self.org))

    def test_other_delimiters_and_line_endings_are_honoured(self):
        pages = self.org.bulk2.Contact.query(
            "SELECT Id, LastName FROM Contact LIMIT 10", column_delimiter="PIPE", line_ending="CRLF", wait=0
        )
        text = "".join(pages)
        self.assertTrue(text.startswith('"Id"|"LastName"\r\n'), text[:60])

    def test_a_bulk_query_gives_what_a_query_gives(self):
        soql = "SELECT Id, Name, Phone FROM Account ORDER BY Id LIMIT 300"
        by_bulk = self.rows(self.org.bulk2.Account.query(soql, wait=0))
        by_query = [
            {name: row[name] or "" for name in ("Id", "Name", "Phone")} for row in self.org.query_all(soql)["records"]
        ]
        self.assertEqual(by_bulk, by_query)


if __name__ == "__main__":
    unittest.main()
