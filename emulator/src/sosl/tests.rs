use super::expression::words;
use super::*;

fn holds(find: &str, text: &str) -> bool {
    let words = [words(text)];
    Expression::parse(find).unwrap().holds(&|phrase| words.iter().any(|field| phrase.is_in(field)))
}

#[test]
fn words_are_found_whatever_their_case_and_order() {
    assert!(holds("acme", "ACME Corporation"));
    assert!(holds("corporation acme", "Acme Corporation"));
    assert!(!holds("acm", "Acme Corporation"));
    assert!(holds("acm*", "Acme Corporation"));
    assert!(holds("jo?n", "John") && !holds("jo?n", "Johan"));
    assert!(holds("ma*y", "Mary") && holds("über*", "Überlingen"));
}

#[test]
fn phrases_are_words_one_after_the_other() {
    assert!(holds("\"acme corporation\"", "The Acme Corporation"));
    assert!(!holds("\"corporation acme\"", "The Acme Corporation"));
    assert!(holds("ada@acme.example", "write to ada@acme.example"));
    assert!(!holds("ada@acme.example", "ada acme"));
    assert!(holds("\"john and mary\"", "John and Mary"));
}

#[test]
fn operators_bind_in_the_order_not_and_or() {
    assert!(holds("acme OR globex AND initech", "acme"));
    assert!(!holds("(acme OR globex) AND initech", "acme"));
    assert!(holds("acme AND NOT globex", "acme") && !holds("acme AND NOT globex", "acme globex"));
    assert!(holds("acme and corporation", "Acme Corporation"));
}

#[test]
fn searches_that_make_no_sense_are_refused_in_salesforces_words() {
    let refused = |text: &str| {
        let error = Search::parse(text).unwrap_err();
        (error.code().to_owned(), error.to_string())
    };
    let no_term = "No search term found. The search term must be enclosed in braces.";
    for text in ["", "SELECT Id FROM Account", "FIND acme", "FIND {}", "FIND {open"] {
        assert_eq!(refused(text), ("MALFORMED_SEARCH".to_owned(), no_term.to_owned()), "{text}");
    }
    assert_eq!(refused("FIND {a}").1, "search term must be longer than one character: a");
    assert_eq!(refused("FIND {acme} IN OUR FIELDS").1, "unexpected token: 'OUR'");
    assert_eq!(refused("FIND {acme} RETURNING Account(Id").1, "unexpected token: '<EOF>'");
    assert_eq!(refused("FIND {acme} LIMIT many").1, "unexpected token: 'many'");
    assert_eq!(refused("FIND {(acme}").1, "unexpected token: '}'");
}

#[test]
fn every_clause_of_an_object_is_read() {
    let search = Search::parse(
        "find {acme\\}*} in name fields returning Account(Id, toLabel(Type) WHERE Name LIKE 'where (x' AND (a = 1) \
         ORDER BY Name DESC LIMIT 5 OFFSET 2), Contact with snippet(target_length=120) LIMIT 7",
    )
    .unwrap();
    assert_eq!((search.scope, search.limit), (Scope::Name, Some(7)));
    let expected = Returning {
        object: "Account".into(),
        fields: vec!["Id".into(), "toLabel(Type)".into()],
        filter: Some("Name LIKE 'where (x' AND (a = 1)".into()),
        order: Some("Name DESC".into()),
        limit: Some(5),
        offset: 2,
    };
    assert_eq!(search.returning, [expected, Returning { object: "Contact".into(), ..Returning::default() }]);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(FIND|find) ?\\{?[ a-z*?\"()\\\\}{]{0,20}\\}?( RETURNING [A-Z(,)a-z ']{0,20})?") {
        let _ = Search::parse(&text);
    }
}
