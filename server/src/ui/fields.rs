//! What was sent: the fields of a form or of a query.

use secrecy::SecretString;

/// Fields in the order in which they were sent. `Debug` shows their names alone.
#[derive(Default, Clone)]
pub(super) struct Fields(Vec<(String, SecretString)>);

impl std::fmt::Debug for Fields {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Fields {
    /// Reads `application/x-www-form-urlencoded`.
    pub(super) fn parse(text: &[u8]) -> Self {
        let fields = url::form_urlencoded::parse(text);
        Self(fields.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect())
    }

    fn find(&self, name: &str) -> Option<&SecretString> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// A field without the spaces around it; empty when it was not sent.
    pub(super) fn text(&self, name: &str) -> &str {
        use secrecy::ExposeSecret;
        self.find(name).map_or("", |value| value.expose_secret().trim())
    }

    /// A field that is not empty.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// A secret field as it was typed.
    pub(super) fn secret(&self, name: &str) -> SecretString {
        self.find(name).cloned().unwrap_or_default()
    }

    /// Every field of that name.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        use secrecy::ExposeSecret;
        self.0.iter().filter(|(found, _)| found == name).map(|(_, value)| value.expose_secret().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_never_printed() {
        let fields = Fields::parse(b"org=acme+corp&secret=s%3D1&object=A&object=B");
        assert_eq!((fields.text("org"), fields.given("none")), ("acme corp", None));
        assert_eq!(fields.all("object"), ["A", "B"]);
        assert_eq!(format!("{fields:?}"), r#"["org", "secret", "object", "object"]"#);
    }
}
