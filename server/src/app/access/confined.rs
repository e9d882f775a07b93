//! Which paths of an org a program may reach. Pure.

use percent_encoding::percent_decode_str;

/// Where the data API begins (REST API guide v66). OAuth endpoints, Apex REST and pages are elsewhere.
const BASE: &str = "/services/data";
const LONGEST: usize = 16 << 10;

/// Why a path is not passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this path is not passed on: {reason}")]
pub struct PathRefused {
    pub reason: &'static str,
}

/// Path and query as they are sent, if they stay within the data API however they are read.
///
/// # Errors
/// Says what is wrong with the path, without repeating it.
pub fn confined(path: &str, query: Option<&str>) -> Result<String, PathRefused> {
    let refused = |reason| Err(PathRefused { reason });
    if path.len() + query.map_or(0, str::len) > LONGEST {
        return refused("it is longer than 16 KiB");
    }
    let Some(rest) = path.strip_prefix(BASE) else { return refused("it does not begin with /services/data/") };
    if !rest.is_empty() && !rest.starts_with('/') {
        return refused("it does not begin with /services/data/");
    }
    let segments: Vec<&str> = rest.split('/').skip(1).collect();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        check(segment, is_last).map_err(|reason| PathRefused { reason })?;
    }
    let mut sent = path.to_owned();
    if let Some(query) = query {
        if !query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return refused("its query holds a character that has to be encoded");
        }
        sent.push('?');
        sent.push_str(query);
    }
    Ok(sent)
}

fn check(segment: &str, is_last: bool) -> Result<(), &'static str> {
    if segment.is_empty() && !is_last {
        return Err("it has an empty part");
    }
    if !segment.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#' | b'?' | b';')) {
        return Err("it holds a character that has to be encoded");
    }
    let bytes = segment.as_bytes();
    let is_escape = |at: usize| bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    if (0..bytes.len()).any(|at| bytes[at] == b'%' && !is_escape(at)) {
        return Err("it holds a % that is no escape");
    }
    let Ok(decoded) = percent_decode_str(segment).decode_utf8() else { return Err("it is not UTF-8") };
    // A server that decodes once more, or splits after decoding, must find nothing either.
    if decoded.contains(['/', '\\', '%', ';']) || decoded.chars().any(char::is_control) {
        return Err("it hides a character that would change where it leads");
    }
    if matches!(decoded.trim(), "." | "..") {
        return Err("it climbs");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_stays_within_the_data_api_is_passed_as_it_is() {
        for path in [
            "/services/data",
            "/services/data/",
            "/services/data/v68.0/sobjects/Account/001/Name",
            "/services/data/v68.0/sobjects/Account/Vendor_Id__c/a%20b",
            "/services/data/v68.0/jobs/query/750/results",
        ] {
            assert_eq!(confined(path, None), Ok(path.to_owned()));
        }
        let query = "q=SELECT%20Id%20FROM%20Account%20WHERE%20Name%20%3D%20'%2F..%2F'";
        let sent = confined("/services/data/v68.0/query", Some(query)).unwrap();
        assert_eq!(sent, format!("/services/data/v68.0/query?{query}"));
    }

    #[test]
    fn what_leads_elsewhere_is_refused_however_it_is_spelt() {
        for path in [
            "",
            "/",
            "/services/oauth2/token",
            "/services/apexrest/x",
            "/services/database",
            "/Services/data/v68.0",
            "//services/data/v68.0",
            "services/data/v68.0",
            "https://evil.example/services/data",
            "/services/data/../oauth2/token",
            "/services/data/v68.0/../../oauth2/token",
            "/services/data/%2e%2e/oauth2/token",
            "/services/data/.%2E/oauth2/token",
            "/services/data/%252e%252e/oauth2/token",
            "/services/data/..%2foauth2/token",
            "/services/data/%2e%2e%5coauth2",
            "/services/data/..\\oauth2",
            "/services/data/..;/oauth2/token",
            "/services/data/%2e%2e%3b/oauth2",
            "/services/data//oauth2",
            "/services/data/%00",
            "/services/data/%0d%0aHost:%20x",
            "/services/data/%zz",
            "/services/data/%c0%ae%c0%ae/oauth2",
            "/services/data/v68.0#x",
            "/services/data/v68.0 x",
        ] {
            assert!(confined(path, None).is_err(), "{path}");
        }
        assert!(confined("/services/data/v68.0/query", Some("q=a b")).is_err());
        assert!(confined("/services/data/v68.0/query", Some("q=a\r\nX: y")).is_err());
        assert!(confined(&format!("/services/data/{}", "a".repeat(17 << 10)), None).is_err());
    }

    proptest! {
        /// However a server reads the path (decoding it once or twice, then resolving dots), it stays below the base.
        #[test]
        fn a_path_that_is_passed_stays_within_whoever_decodes_it(path in "/services/data(/[a-z.%25eEfF;\\\\0]{0,12}){0,5}") {
            if let Ok(sent) = confined(&path, None) {
                let mut read = sent;
                for _ in 0..3 {
                    prop_assert!(resolved(&read).starts_with(&["services", "data"].map(str::to_owned)), "{}", read);
                    read = percent_decode_str(&read).decode_utf8_lossy().replace('\\', "/");
                }
            }
        }
    }

    fn resolved(path: &str) -> Vec<String> {
        let mut parts = Vec::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            match part.split(';').next().unwrap_or_default() {
                "." | "" => {}
                ".." => drop(parts.pop()),
                other => parts.push(other.to_owned()),
            }
        }
        parts
    }
}
