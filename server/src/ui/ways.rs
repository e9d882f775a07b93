//! The ways to connect, in the words of the page on which a person chooses one, and what each form asks for.

use salesforce::oauth::Flow;

/// For whom a way is, in one sentence.
pub(super) fn for_whom(flow: Flow) -> &'static str {
    match flow {
        Flow::ClientCredentials => {
            "For a server that reads by itself as one integration user: nobody signs in, and nothing expires unused."
        }
        Flow::WebServer => "For a person who signs in to Salesforce in this browser, and whose data is read as theirs.",
        Flow::Device => "For an admin who is somewhere else: you show a code, and they enter it in their own browser.",
        Flow::JwtBearer => "For organisations that want a certificate in the place of a shared secret.",
        Flow::Password => "For orgs that still allow a user's password with a security token.",
        Flow::SoapLogin => "For orgs without any client app, with a user's password, up to API 64.0.",
        Flow::RefreshToken => "For those who come from another tool and bring its refresh token along.",
    }
}

/// All ways, the best one for this address first. The generic login hosts know no client credentials (Salesforce Help,
/// *OAuth 2.0 Client Credentials Flow*).
pub(super) fn in_order(is_generic: bool) -> Vec<Flow> {
    let mut ways = vec![
        Flow::ClientCredentials,
        Flow::WebServer,
        Flow::JwtBearer,
        Flow::Device,
        Flow::RefreshToken,
        Flow::Password,
        Flow::SoapLogin,
    ];
    if is_generic {
        ways.retain(|flow| *flow != Flow::ClientCredentials);
    }
    ways
}

/// One thing that a form asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// Of the field, and of its element.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) kind: Kind,
    pub(super) is_needed: bool,
}

/// How a field is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Hidden while it is typed, and never shown again.
    Secret,
}

const KEY: Asked = Asked {
    name: "client_id",
    label: "Consumer Key",
    hint: "Setup shows it on the app's Settings tab, behind an e-mailed code.",
    kind: Kind::Text,
    is_needed: true,
};
const SECRET: Asked = Asked {
    name: "client_secret",
    label: "Consumer Secret",
    hint: "Beside the key. It is sealed when it is saved, and never shown again.",
    kind: Kind::Secret,
    is_needed: true,
};
const OPTIONAL_SECRET: Asked =
    Asked { hint: "Leave it empty for an app that needs none (a public client).", is_needed: false, ..SECRET };
const USERNAME: Asked = Asked {
    name: "username",
    label: "Salesforce username",
    hint: "It looks like an e-mail address, and is often none.",
    kind: Kind::Text,
    is_needed: true,
};
const PASSWORD: Asked = Asked { name: "password", label: "Password", hint: "", kind: Kind::Secret, is_needed: true };
const SECURITY_TOKEN: Asked = Asked {
    name: "security_token",
    label: "Security token",
    hint: "Salesforce mails it after \"Reset My Security Token\". Not needed from an address that the org trusts.",
    kind: Kind::Secret,
    is_needed: false,
};
const REFRESH_TOKEN: Asked = Asked {
    name: "refresh_token",
    label: "Refresh token",
    hint: "If the app rotates refresh tokens, the other tool's copy stops working now.",
    kind: Kind::Secret,
    is_needed: true,
};

/// What the form of a way asks for, besides the org's address.
pub(super) fn asked(flow: Flow) -> &'static [Asked] {
    match flow {
        Flow::ClientCredentials => &[KEY, SECRET],
        Flow::WebServer | Flow::Device => &[KEY, OPTIONAL_SECRET],
        Flow::JwtBearer => &[KEY, USERNAME],
        Flow::Password => &[KEY, SECRET, USERNAME, PASSWORD, SECURITY_TOKEN],
        Flow::SoapLogin => &[USERNAME, PASSWORD, SECURITY_TOKEN],
        Flow::RefreshToken => &[KEY, OPTIONAL_SECRET, REFRESH_TOKEN],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_offered_and_asks_each_thing_once() {
        assert_eq!(in_order(false).len(), Flow::ALL.len());
        assert!(!in_order(true).contains(&Flow::ClientCredentials));
        for flow in Flow::ALL {
            let mut names: Vec<_> = asked(flow).iter().map(|asked| asked.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), asked(flow).len(), "{flow}");
            assert!(for_whom(flow).ends_with('.'));
        }
    }
}
