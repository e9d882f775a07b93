//! Ids of orgs and users, as sign-in answers spell them.

use crate::ids::whole_id;

/// Org and user of `https://login.salesforce.com/id/<org>/<user>`. The host is not used: it is the generic one.
pub(super) fn of_url(url: &str) -> (Option<String>, Option<String>) {
    let Some((_, ids)) = url.split_once("/id/") else { return (None, None) };
    let mut ids = ids.split(['/', '?']);
    let mut next_id = |prefix: &str| ids.next().filter(|id| id.starts_with(prefix)).and_then(whole_id);
    (next_id("00D"), next_id("005"))
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
