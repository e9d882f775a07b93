"""A whole working day of simple-salesforce, unmodified, against the emulated org. Run by `cargo xtask test`, which gives
addresses and credentials; TLS goes to the org's real host name through the CONNECT proxy (HTTPS_PROXY,
REQUESTS_CA_BUNDLE)."""

import csv
import io
import json
import os
import tempfile
import unittest

from simple_salesforce import Salesforce, format_soql
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceMoreThanOneRecord

ORG = json.loads(os.environ["ORGTIDE_CLIENTS"])
VERSION = "60.0"


def signed_in():
    return Salesforce(
        consumer_key=ORG["client_id"], consumer_secret=ORG["client_secret"], domain=ORG["domain"], version=VERSION
    )


class Session(unittest.TestCase):
    """Every record carries its test's mark and goes when the test ends."""

    @classmethod
    def setUpClass(cls):
        cls.org = signed_in()

    def setUp(self):
        self.mark = f"simple-salesforce {self._testMethodName}"[:80]

    def tearDown(self):
        for contact in self.marked("Contact", "Department"):
            self.org.Contact.delete(contact)
        for account in self.marked("Account", "Site"):
            self.org.Account.delete(account)

    def marked(self, name, field):
        rows = self.org.query_all_iter(f"SELECT Id FROM {name} WHERE {field} = '{self.mark}'")
        return [row["Id"] for row in rows]

    def accounts(self, number):
        return [{"Name": f"Account {index}", "Site": self.mark} for index in range(number)]


class Records(Session):
    def test_a_record_lives_from_creation_to_deletion(self):
        made = self.org.Account.create({"Name": "Lifecycle", "Site": self.mark})
        self.assertEqual((made["success"], made["errors"]), (True, []))
        self.assertEqual(self.org.Account.update(made["id"], {"Phone": "1"}), 204)
        self.assertEqual(self.org.Account.get(made["id"])["Phone"], "1")
        self.assertEqual(self.org.Account.delete(made["id"]), 204)

    def test_an_upsert_by_external_id_inserts_once(self):
        path = "Customer_Number__c/PY-1"
        first = self.org.Account.upsert(path, {"Name": "Upserted", "Site": self.mark}, raw_response=True)
        second = self.org.Account.upsert(path, {"Name": "Again"}, raw_response=True)
        self.assertEqual((first.status_code, first.json()["created"]), (201, True))
        self.assertEqual((second.status_code, second.json()["created"]), (200, False))
        read = self.org.Account.get_by_custom_id("Customer_Number__c", "PY-1")
        self.assertEqual((read["Id"], read["Name"]), (first.json()["id"], "Again"))

    def test_an_external_id_of_two_records_is_an_error(self):
        for name in ("One", "Two"):
            self.org.Contact.create({"LastName": name, "Customer_Id__c": "PY-2", "Department": self.mark})
        with self.assertRaises(SalesforceMoreThanOneRecord):
            self.org.Contact.get_by_custom_id("Customer_Id__c", "PY-2")

    def test_a_refused_record_says_which_field(self):
        with self.assertRaises(SalesforceMalformedRequest) as refused:
            self.org.Contact.create({"FirstName": "Nameless"})
        error = refused.exception.content[0]
        self.assertEqual((error["errorCode"], error["fields"]), ("REQUIRED_FIELD_MISSING", ["LastName"]))

    def test_a_file_goes_up_and_comes_back(self):
        account = self.org.Account.create({"Name": "File", "Site": self.mark})["id"]
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"%PDF-1.4 \x00 binary")
            file.flush()
            made = self.org.Attachment.create({"ParentId": account, "Name": "a.pdf", "Body": "MQ=="})["id"]
            self.assertEqual(self.org.Attachment.update_base64(made, file.name), 204)
        self.assertEqual(self.org.Attachment.get_base64(made), b"%PDF-1.4 \x00 binary")

    def test_collections_and_trees_answer_row_by_row(self):
        body = {"records": [{"attributes": {"type": "Account"}, **account} for account in self.accounts(3)]}
        made = self.org.restful("composite/sobjects", method="POST", json=body)
        self.assertEqual([row["success"] for row in made], [True, True, True])
        ids = ",".join(row["id"] for row in made)
        read = self.org.restful("composite/sobjects/Account", params={"ids": ids, "fields": "Name"})
        self.assertEqual([row["Name"] for row in read], ["Account 0", "Account 1", "Account 2"])
        gone = self.org.restful("composite/sobjects", method="DELETE", params={"ids": ids})
        self.assertEqual([row["success"] for row in gone], [True, True, True])


class Questions(Session):
    def test_children_come_with_their_parent(self):
        account = self.org.Account.create({"Name": "Parent", "Site": self.mark})["id"]
        for name in ("Curie", "Lovelace"):
            self.org.Contact.create({"LastName": name, "AccountId": account, "Department": self.mark})
        soql = format_soql(
            "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account WHERE Id = {}", account
        )
        row = self.org.query(soql)["records"][0]
        self.assertEqual([child["LastName"] for child in row["Contacts"]["records"]], ["Curie", "Lovelace"])

    def test_groups_are_counted(self):
        rows = self.org.query("SELECT LeadSource source, COUNT(Id) FROM Contact GROUP BY LeadSource")["records"]
        total = self.org.query("SELECT COUNT() FROM Contact")["totalSize"]
        self.assertEqual(sum(row["expr0"] for row in rows), total)

    def test_a_semi_join_leaves_who_has_children(self):
        account = self.org.Account.create({"Name": "Semi", "Site": self.mark})["id"]
        self.org.Contact.create({"LastName": "Only", "AccountId": account, "Department": self.mark})
        self.org.Account.create({"Name": "Childless", "Site": self.mark})
        soql = (
            f"SELECT Id FROM Account WHERE Site = '{self.mark}' "
            "AND Id IN (SELECT AccountId FROM Contact WHERE LastName = 'Only')"
        )
        self.assertEqual([row["Id"] for row in self.org.query(soql)["records"]], [account])

    def test_a_search_finds_a_word(self):
        made = self.org.Account.create({"Name": "Zyzzyva Partners", "Site": self.mark})["id"]
        found = self.org.quick_search("Zyzzyva")["searchRecords"]
        self.assertEqual([record["Id"] for record in found], [made])
        found = self.org.search("FIND {zyzz*} IN NAME FIELDS RETURNING Account(Id, Name)")["searchRecords"]
        self.assertEqual([record["Name"] for record in found], ["Zyzzyva Partners"])

    def test_the_org_says_what_it_is(self):
        self.assertFalse(self.org.is_sandbox())
        self.assertIn("DailyApiRequests", self.org.limits())
        layout = self.org.Account.describe_layout("012000000000000AAA")
        self.assertIn("detailLayoutSections", layout)
        self.assertEqual(self.org.Account.metadata()["objectDescribe"]["name"], "Account")

    def test_the_tooling_api_answers_queries(self):
        soql = "SELECT+QualifiedApiName+FROM+EntityDefinition+WHERE+QualifiedApiName='Account'"
        answer = self.org.toolingexecute(f"query/?q={soql}")
        self.assertEqual([row["QualifiedApiName"] for row in answer["records"]], ["Account"])


class BulkOne(Session):
    def test_records_are_inserted_changed_and_deleted(self):
        made = self.org.bulk.Account.insert(self.accounts(25), batch_size=10)
        self.assertEqual([row["success"] for row in made], [True] * 25)
        changed = self.org.bulk.Account.update([{"Id": row["id"], "Phone": "2"} for row in made])
        self.assertTrue(all(row["success"] and not row["created"] for row in changed))
        read = self.org.bulk.Account.query(f"SELECT Id, Phone FROM Account WHERE Site = '{self.mark}'")
        self.assertEqual([row["Phone"] for row in read], ["2"] * 25)
        gone = self.org.bulk.Account.delete([{"Id": row["id"]} for row in made])
        self.assertTrue(all(row["success"] for row in gone))
        deleted = self.org.bulk.Account.query_all(
            f"SELECT Id, IsDeleted FROM Account WHERE Site = '{self.mark}'"
        )
        self.assertEqual([row["IsDeleted"] for row in deleted], [True] * 25)

    def test_an_upsert_and_a_refusal_stand_side_by_side(self):
        rows = [{"LastName": "Good", "Customer_Id__c": "PY-B1", "Department": self.mark}, {"Customer_Id__c": "PY-B2"}]
        results = self.org.bulk.Contact.upsert(rows, "Customer_Id__c")
        self.assertEqual([row["success"] for row in results], [True, False])
        self.assertEqual(results[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING")

    def test_an_empty_answer_is_empty(self):
        self.assertEqual(self.org.bulk.Account.query("SELECT Id FROM Account WHERE Name = 'nobody at all'"), [])


class BulkTwo(Session):
    def results(self, job, kind):
        text = getattr(self.org.bulk2.Account, f"get_{kind}_records")(job["job_id"])
        return list(csv.DictReader(io.StringIO(text)))

    def test_a_job_inserts_most_and_says_what_it_refused(self):
        rows = [*self.accounts(30), {"Name": "", "Site": self.mark}]
        [job] = self.org.bulk2.Account.insert(records=rows, wait=0)
        self.assertEqual((job["numberRecordsProcessed"], job["numberRecordsFailed"]), (31, 1))
        self.assertEqual(len(self.results(job, "successful")), 30)
        [refused] = self.results(job, "failed")
        self.assertTrue(refused["sf__Error"].startswith("REQUIRED_FIELD_MISSING"), refused)
        self.assertEqual(self.results(job, "unprocessed"), [])

    def test_records_are_updated_upserted_and_deleted(self):
        keyed = [{**row, "Customer_Number__c": f"PY-{index}"} for index, row in enumerate(self.accounts(12))]
        [first] = self.org.bulk2.Account.upsert(records=keyed, external_id_field="Customer_Number__c", wait=0)
        [second] = self.org.bulk2.Account.upsert(records=keyed, external_id_field="Customer_Number__c", wait=0)
        created = [{row["sf__Created"] for row in self.results(job, "successful")} for job in (first, second)]
        self.assertEqual(created, [{"true"}, {"false"}])
        ids = [{"Id": row["sf__Id"]} for row in self.results(first, "successful")]
        [changed] = self.org.bulk2.Account.update(records=[{**row, "Phone": "#N/A"} for row in ids], wait=0)
        self.assertEqual(changed["numberRecordsFailed"], 0)
        [gone] = self.org.bulk2.Account.delete(records=ids, wait=0)
        self.assertEqual((gone["numberRecordsProcessed"], gone["numberRecordsFailed"]), (12, 0))

    def test_a_file_is_loaded_and_downloaded(self):
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "in.csv")
            with open(source, "w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, ["Name", "Site"], lineterminator="\n")
                writer.writeheader()
                writer.writerows({"Name": f'Łódź "{index}"\nsecond line', "Site": self.mark} for index in range(5))
            [job] = self.org.bulk2.Account.insert(csv_file=source, wait=0)
            self.assertEqual(job["numberRecordsFailed"], 0)
            soql = f"SELECT Name FROM Account WHERE Site = '{self.mark}'"
            pages = self.org.bulk2.Account.download(soql, path=folder, wait=0)
            with open(pages[0]["file"], encoding="utf-8", newline="") as file:
                names = sorted(row["Name"] for row in csv.DictReader(file))
            self.assertEqual(names, [f'Łódź "{index}"\nsecond line' for index in range(5)])


if __name__ == "__main__":
    unittest.main()
