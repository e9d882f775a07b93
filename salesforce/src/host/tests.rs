use proptest::prelude::*;

use super::*;

fn parsed(pasted: &str) -> String {
    OrgUrl::parse(pasted, HostRules::default()).unwrap_or_else(|error| panic!("{error}")).host().to_owned()
}

fn refused(pasted: &str) -> String {
    match OrgUrl::parse(pasted, HostRules::default()) {
        Ok(url) => panic!("{pasted:?} was taken for {url}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_address_is_read_however_it_is_pasted() {
    for pasted in [
        "acme.my.salesforce.com",
        "https://acme.my.salesforce.com",
        "  HTTPS://Acme.My.Salesforce.COM/  ",
        "https://acme.my.salesforce.com///",
        "https://acme.my.salesforce.com/lightning/o/Account/list?filterName=Recent#top",
        "acme.my.salesforce.com?x=1",
        "//acme.my.salesforce.com/",
        "\"acme.my.salesforce.com\"",
        "<https://acme.my.salesforce.com>",
        "acme.my.salesforce.com.",
        "https://acme.my.salesforce.com:443/services",
        "https://acme.lightning.force.com/lightning/page/home",
        "acme.lightning.force.com",
        "https://acme.my.salesforce-setup.com/lightning/setup/SetupOneHome/home",
        "acme.my.salesforce",
        "acme.my",
        "acme",
    ] {
        assert_eq!(parsed(pasted), "acme.my.salesforce.com", "{pasted}");
    }
}

#[test]
fn partitions_and_families_are_kept() {
    for (pasted, host) in [
        ("acme--dev.sandbox.lightning.force.com", "acme--dev.sandbox.my.salesforce.com"),
        ("https://acme-dev-ed.develop.lightning.force.com/x", "acme-dev-ed.develop.my.salesforce.com"),
        ("acme--dev.sandbox.my.salesforce-setup.com", "acme--dev.sandbox.my.salesforce.com"),
        ("acme-dev-ed.trailblaze.my.salesforce.com", "acme-dev-ed.trailblaze.my.salesforce.com"),
        ("acme--dev.my.salesforce.com", "acme--dev.my.salesforce.com"),
        ("acme--dev.sandbox", "acme--dev.sandbox.my.salesforce.com"),
        ("acme--dev.sandbox.my", "acme--dev.sandbox.my.salesforce.com"),
        ("navy.lightning.crmforce.mil", "navy.my.salesforce.mil"),
        ("navy.patch.my.salesforce.mil", "navy.patch.my.salesforce.mil"),
        ("acme.lightning.sfcrmapps.cn", "acme.my.sfcrmproducts.cn"),
        ("login", "login.salesforce.com"),
        ("https://test.salesforce.com/?locale=de", "test.salesforce.com"),
    ] {
        assert_eq!(parsed(pasted), host, "{pasted}");
    }
}

#[test]
fn what_is_no_org_is_refused_with_a_reason_and_a_remedy() {
    for (pasted, words) in [
        ("", "names no host"),
        ("https://", "names no host"),
        ("http://acme.my.salesforce.com", "Paste https://acme.my.salesforce.com instead"),
        ("http://169.254.169.254", "not encrypted"),
        ("https://169.254.169.254/latest/meta-data", "network address"),
        ("10.0.0.1:8080", "network address"),
        ("[::1]", "network address"),
        ("::1", "network address"),
        ("https://0x7f.1", "network address"),
        ("ftp://acme.my.salesforce.com", "ftp:// is not https://"),
        ("https://user:pw@acme.my.salesforce.com", "user name"),
        ("https://acme.my.salesforce.com@evil.test", "user name"),
        ("acme.my.salesforce.com:8443", "names a port"),
        ("acme.my.salesforce.com.evil.test", "ends elsewhere"),
        ("аcme.my.salesforce.com", "only look like plain ones"),
        ("acme.my.sаlesforce.com", "only look like plain ones"),
        ("xn--cme-7cd.my.salesforce.com", "other alphabets"),
        ("my.salesforce.com", "is missing"),
        (".my.salesforce.com", "acme.my.salesforce.com"),
        ("-acme.my.salesforce.com", "acme.my.salesforce.com"),
        ("acme.other.my.salesforce.com", "acme.my.salesforce.com"),
        ("acme.my.site.com", "Experience Cloud site"),
        ("acme.file.force.com", "serves files"),
        ("api.salesforce.com", "agents"),
        ("acme.my-salesforce.com", "not switched on"),
        ("na139.salesforce.com", "not switched on"),
        ("acme.my.salesforec.com", "did you mean acme.my.salesforce.com?"),
        ("acme.mysalesforce.com", "did you mean acme.my.salesforce.com?"),
        ("acme.my.salesforce.co", "did you mean acme.my.salesforce.com?"),
        ("acme.salesforce.com", "did you mean acme.my.salesforce.com?"),
        ("acme--dev.sandox.my.salesforce.com", "did you mean acme--dev.sandbox.my.salesforce.com?"),
        ("acme--dev", "acme--dev.sandbox.my.salesforce.com"),
        ("acme-dev-ed", "acme-dev-ed.develop.my.salesforce.com"),
        ("localhost", "does not end as"),
        ("example.com", "does not end as"),
        ("acme my salesforce", "does not end as"),
    ] {
        let message = refused(pasted);
        assert!(message.contains(words), "{pasted}: {message}");
    }
}

#[test]
fn optional_families_are_admitted_when_switched_on() {
    let rules = HostRules { alternative_domains: true, legacy_instance_hosts: true };
    for (pasted, host) in [
        ("acme.my-salesforce.com", "acme.my-salesforce.com"),
        ("acme--x.sandbox.my-lightning.com", "acme--x.sandbox.my-salesforce.com"),
        ("https://na139.salesforce.com/", "na139.salesforce.com"),
    ] {
        assert_eq!(OrgUrl::parse(pasted, rules).unwrap().host(), host);
    }
    assert!(!rules.admits("n1.salesforce.com") && !rules.admits("na12345.salesforce.com"));
}

#[test]
fn a_refusal_repeats_no_session_and_no_password() {
    for pasted in ["https://evil.test/?sid=00Dsecret", "https://me:secret@evil.test/", "https://evil.test/#secret"] {
        assert!(!refused(pasted).contains("secret"), "{pasted}");
    }
}

#[test]
fn an_instance_url_is_taken_exactly_or_not_at_all() {
    let read = |url| OrgUrl::from_instance_url(url, HostRules::default());
    assert_eq!(read("https://acme.my.salesforce.com").unwrap().host(), "acme.my.salesforce.com");
    assert_eq!(read("https://acme.my.salesforce.com/").unwrap().host(), "acme.my.salesforce.com");
    for url in [
        "http://acme.my.salesforce.com",
        "http://127.0.0.1:4000",
        "https://acme.my.salesforce.com:8443",
        "https://acme.my.salesforce.com/x",
        "https://acme.lightning.force.com",
        "https://evil.test",
        "acme.my.salesforce.com",
        "",
    ] {
        assert!(read(url).is_err(), "{url}");
    }
}

#[test]
fn a_stored_host_is_checked_when_it_is_read() {
    assert!(serde_json::from_str::<OrgUrl>("\"evil.test\"").is_err());
    let url = OrgUrl::parse("acme", HostRules::default()).unwrap();
    assert_eq!(serde_json::from_str::<OrgUrl>(&serde_json::to_string(&url).unwrap()).unwrap(), url);
}

/// Text that is close to what people paste.
fn pasted() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("acme".to_owned()),
        Just("my".to_owned()),
        Just("salesforce".to_owned()),
        Just("com".to_owned()),
        Just("lightning".to_owned()),
        Just("force".to_owned()),
        Just("sandbox".to_owned()),
        Just("mil".to_owned()),
        "[a-zA-Z0-9-]{0,4}",
        "\\PC{0,3}",
    ];
    let separator = prop_oneof![Just("."), Just("."), Just("."), Just("/"), Just(":"), Just("@"), Just("?"), Just("")];
    let scheme = prop_oneof![Just(""), Just("https://"), Just("http://"), Just("//"), Just(" ")];
    (scheme, prop::collection::vec((part, separator), 0..7)).prop_map(|(scheme, parts)| {
        parts.into_iter().fold(scheme.to_owned(), |text, (part, separator)| text + &part + separator)
    })
}

proptest! {
    #[test]
    fn whatever_is_pasted_ends_in_an_admitted_host_or_a_refusal(pasted in prop_oneof![pasted(), any::<String>()], alternative: bool, legacy: bool) {
        let rules = HostRules { alternative_domains: alternative, legacy_instance_hosts: legacy };
        if let Ok(url) = OrgUrl::parse(&pasted, rules) {
            prop_assert!(rules.admits(url.host()));
            prop_assert_eq!(&OrgUrl::parse(url.host(), rules).unwrap(), &url);
            prop_assert_eq!(&OrgUrl::parse(&url.to_string(), rules).unwrap(), &url);
            prop_assert_eq!(&OrgUrl::from_instance_url(&url.to_string(), rules).unwrap(), &url);
        }
    }
}
