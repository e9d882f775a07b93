//! Ids of orgs and users, as sign-in answers spell them.

/// Org and user of `https://login.salesforce.com/id/<org>/<user>`. The host is not used: it is the generic one.
pub(super) fn of_url(url: &str) -> (Option<String>, Option<String>) {
    let Some((_, ids)) = url.split_once("/id/") else { return (None, None) };
    let mut ids = ids.split(['/', '?']);
    let mut next_id = |prefix: &str| ids.next().filter(|id| id.starts_with(prefix)).and_then(whole_id);
    (next_id("00D"), next_id("005"))
}

/// The 18-character form of an id: after each five characters' worth of capitals, one character that tells them
/// (SOAP API guide v66, "ID Field Type").
pub(super) fn whole_id(id: &str) -> Option<String> {
    const SUFFIXES: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match id.len() {
        18 => Some(id.to_owned()),
        15 => {
            let capitals = |five: &[u8]| {
                five.iter().rev().fold(0, |bits, byte| bits << 1 | usize::from(byte.is_ascii_uppercase()))
            };
            let suffix = id.as_bytes().chunks(5).map(|five| char::from(SUFFIXES[capitals(five)]));
            Some(id.chars().chain(suffix).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn org_and_user_come_from_the_identity_url() {
        let (org, user) = of_url("https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA");
        assert_eq!(org.as_deref(), Some("00D000000000001EAA"));
        assert_eq!(user.as_deref(), Some("005000000000001AAA"));
        let (org, user) = of_url("https://login.salesforce.com/id/00Dx0000000BV7z/005x00000012Q9P");
        assert_eq!(org.as_deref(), Some("00Dx0000000BV7zEAG"));
        assert_eq!(user.as_deref(), Some("005x00000012Q9PAAU"));
        for odd in ["", "https://login.salesforce.com/id/", "https://x/id/00D/005", "nonsense/id/../.."] {
            assert_eq!(of_url(odd), (None, None), "{odd}");
        }
    }
}
