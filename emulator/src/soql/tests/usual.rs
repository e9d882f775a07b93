//! Queries as connectors, command-line tools and people write them.

use super::*;

#[test]
fn usual_queries_are_understood() {
    let mut database = small_org();
    database.generate("Contact", 20, at(NOW)).unwrap();
    let mut refused = Vec::new();
    for query in [
        // Incremental readers.
        "SELECT Id, SystemModstamp FROM Account WHERE SystemModstamp >= 2024-01-01T00:00:00.000+0000 AND SystemModstamp < \
         2027-01-01T00:00:00Z ORDER BY SystemModstamp ASC, Id ASC LIMIT 2000",
        "SELECT Id FROM Contact WHERE IsDeleted = false and Id > '003000000000000AAA' order by Id",
        "SELECT MAX(SystemModstamp) FROM Account",
        "SELECT MIN(CreatedDate) low, MAX(CreatedDate) high, COUNT(Id) FROM Contact WHERE CreatedDate != null",
        "SELECT COUNT() FROM Contact WHERE SystemModstamp > LAST_N_DAYS:30",
        "SELECT FIELDS(ALL) FROM Account ORDER BY Id LIMIT 200",
        "SELECT FIELDS(STANDARD), Owner.Name FROM Account",
        "SELECT Id, (SELECT Id, Field, OldValue, NewValue, CreatedDate FROM Histories) FROM Account WHERE Id IN \
         ('001gL0000000001','001gL0000000002QAA')",
        // Reports.
        "SELECT LeadSource, COUNT(Id) total FROM Contact GROUP BY LeadSource ORDER BY COUNT(Id) DESC NULLS LAST LIMIT 10",
        "SELECT CALENDAR_YEAR(CloseDate), CALENDAR_MONTH(CloseDate), SUM(Amount) FROM Opportunity WHERE IsWon = TRUE GROUP BY \
         CALENDAR_YEAR(CloseDate), CALENDAR_MONTH(CloseDate) ORDER BY CALENDAR_YEAR(CloseDate), CALENDAR_MONTH(CloseDate)",
        "SELECT Owner.Name, StageName, SUM(Amount) amt, AVG(Probability) FROM Opportunity WHERE CloseDate = THIS_FISCAL_QUARTER \
         GROUP BY ROLLUP(Owner.Name, StageName) HAVING SUM(Amount) > 1000",
        "SELECT Name n, MAX(Amount) max FROM Opportunity GROUP BY Name HAVING COUNT(Id) > 1 AND Name LIKE 'A%'",
        "SELECT DAY_ONLY(convertTimezone(CreatedDate)) day, COUNT(Id) FROM Case GROUP BY DAY_ONLY(convertTimezone(CreatedDate))",
        "SELECT COUNT_DISTINCT(AccountId) FROM Contact WHERE Account.Industry IN ('Banking', 'Energy')",
        // Relationships.
        "SELECT Name, (SELECT LastName FROM Contacts) FROM Account",
        "SELECT Account.Name, (SELECT Contact.LastName FROM Account.Contacts) FROM Account",
        "SELECT Id, Who.FirstName, Who.LastName, Who.Type, What.Name FROM Task WHERE Who.Type IN ('Contact', 'Lead')",
        "SELECT Id, Owner.Name, Owner.Profile.Name FROM Lead WHERE Owner.Type = 'User'",
        "SELECT TYPEOF What WHEN Account THEN Phone, NumberOfEmployees WHEN Opportunity THEN Amount, CloseDate ELSE Name END FROM \
         Event",
        "SELECT count() FROM Contact c, c.Account a WHERE a.name = 'MyriadPubs'",
        // Conditions.
        "select id from contact where lastname like 'o\\'r%' and (not(email = null)) and (firstname = '' or title != 'x')",
        "SELECT Id FROM Account WHERE Segments__c INCLUDES ('Enterprise;Startup', 'Public Sector') AND NOT Active__c = true",
        "SELECT Id FROM Account WHERE NumberOfEmployees NOT IN (1, 2, null) AND AnnualRevenue <= 1.5e6",
        "SELECT Id FROM Opportunity WHERE AccountId IN (SELECT AccountId FROM Contact WHERE LeadSource = 'Web')",
        "SELECT Id, Name FROM Account WHERE Id NOT IN (SELECT AccountId FROM Opportunity WHERE IsClosed = false)",
        "SELECT Id FROM Opportunity WHERE CloseDate > N_DAYS_AGO:10 AND CloseDate <= NEXT_N_FISCAL_QUARTERS:2",
        "SELECT Id FROM Invoice__c WHERE DISTANCE(Warehouse__c, GEOLOCATION(37.775,-122.418), 'mi') < 20 ORDER BY \
         DISTANCE(Warehouse__c, GEOLOCATION(37.775,-122.418), 'mi') DESC",
        // Clauses.
        "SELECT Name FROM Contact USING SCOPE mine WHERE LastName != null WITH SECURITY_ENFORCED LIMIT 1 FOR VIEW",
        "SELECT Id FROM Contact ORDER BY LastName NULLS LAST, FirstName DESC LIMIT 10 OFFSET 5",
        "SELECT toLabel(LeadSource), FORMAT(Lifetime_Value__c) value, convertCurrency(Lifetime_Value__c) mine FROM Contact",
    ] {
        match compile(&database, query) {
            Ok(plan) => {
                let results = plan.execute(database.snapshot());
                assert_eq!(results.refusal(), None, "{query}");
                records(&results, Cut { rows: 100, child_rows: 10 });
            }
            Err(error) => refused.push(format!("{query}: {error}")),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn the_corpus_of_the_fuzz_target_is_understood() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/soql");
    let mut names = Vec::new();
    for file in std::fs::read_dir(corpus).unwrap() {
        let path = file.unwrap().path();
        let query = std::fs::read_to_string(&path).unwrap();
        let plan = compile(&small_org(), &query);
        let only_lacks_currencies = |error: &QueryError| error.message.ends_with("invalid currency: USD");
        assert!(plan.as_ref().map_or_else(only_lacks_currencies, |_| true), "{}: {:?}", path.display(), plan.err());
        names.push(path);
    }
    assert!(names.len() > 5, "{names:?}");
}
