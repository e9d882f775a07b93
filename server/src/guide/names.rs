//! Names that the platform accepts.

use salesforce::host::OrgUrl;

/// The longest label of an app or permission set, and the longest API name (`DeveloperName`), in characters.
const MAX_CHARS: usize = 80;
/// The longest ending of a file's base name: `_glbloauth`.
const LONGEST_ENDING: usize = 10;
/// All callback URLs of an app together (Metadata API, `callbackUrl`).
const MAX_CALLBACK_CHARS: usize = 2000;

/// A name or address that the platform would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} cannot be the {what}: {reason}")]
pub struct Refused {
    pub what: &'static str,
    pub value: String,
    pub reason: String,
}

/// Applies a rule of this module to a value, and names both in the error.
///
/// # Errors
/// When the rule refuses the value.
pub fn check(what: &'static str, value: &str, rule: fn(&str) -> Result<(), String>) -> Result<(), Refused> {
    rule(value).map_err(|reason| Refused { what, value: value.to_owned(), reason })
}

/// The API name that Setup derives from a label: what is neither letter nor digit becomes an underscore.
///
/// Rules of API names: letters, digits and underscores; begins with a letter; neither ends with an underscore nor holds
/// two in a row (Salesforce Help, "API Name").
pub fn api_name(label: &str) -> String {
    let mut name = String::new();
    for c in label.trim().chars() {
        match c {
            c if c.is_ascii_alphanumeric() => name.push(c),
            _ if name.ends_with('_') || name.is_empty() => (),
            _ => name.push('_'),
        }
    }
    name.trim_end_matches('_').to_owned()
}

/// A label from which files can be named.
///
/// # Errors
/// Why the platform would refuse it.
pub fn check_label(label: &str) -> Result<(), String> {
    let name = api_name(label);
    if label.trim() != label || label.is_empty() {
        return Err("it is empty, or begins or ends with a space".to_owned());
    }
    if label.chars().any(char::is_control) {
        return Err("it holds a control character".to_owned());
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err("its API name would not begin with a letter from A to Z".to_owned());
    }
    if label.chars().count() > MAX_CHARS - " permission set".len() || name.len() > MAX_CHARS - LONGEST_ENDING {
        let longest = MAX_CHARS - " permission set".len();
        return Err(format!("it is longer than {longest} characters, and the names of its parts are longer still"));
    }
    Ok(())
}

/// An address to which Salesforce can write.
///
/// # Errors
/// Why it is none.
pub fn check_email(email: &str) -> Result<(), String> {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '@' | '<' | '>' | ',' | ';');
    let fits = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && local.chars().all(plain)
            && domain.contains('.')
            && domain.split('.').all(|label| !label.is_empty())
            && domain.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
    });
    if fits && email.len() <= MAX_CHARS { Ok(()) } else { Err("it is no e-mail address".to_owned()) }
}

/// A callback URL that Setup saves: `https`, a scheme of an app's own, or `http` on `localhost`.
///
/// # Errors
/// Why Setup would refuse it (Salesforce Help, "Configure the External Client App OAuth Settings").
pub fn check_callback(text: &str) -> Result<(), String> {
    let url = url::Url::parse(text).map_err(|error| format!("it is no URL ({error})"))?;
    if text.chars().any(char::is_whitespace) {
        return Err("it has a space".to_owned());
    }
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("it has a fragment or a user name".to_owned());
    }
    match (url.scheme(), url.host_str()) {
        ("http", Some("localhost" | "127.0.0.1" | "[::1]")) => Ok(()),
        ("http", _) => Err("it must use https; http is accepted for this machine alone".to_owned()),
        ("javascript" | "data" | "file", _) => Err("browsers do not go to such an address".to_owned()),
        _ => Ok(()),
    }
}

/// The callback URLs of an app: each one that Setup saves, and together not too long.
///
/// # Errors
/// What Setup would refuse.
pub fn check_callbacks(urls: &[String]) -> Result<(), Refused> {
    const WHAT: &str = "callback URL";
    let refuse = |reason: String| Refused { what: WHAT, value: urls.join(" "), reason };
    if urls.is_empty() {
        return Err(refuse("Setup saves no app without one".to_owned()));
    }
    urls.iter().try_for_each(|url| check(WHAT, url, check_callback))?;
    match urls.iter().map(|url| url.chars().count() + 1).sum::<usize>() > MAX_CALLBACK_CHARS {
        true => Err(refuse(format!("together they have more than {MAX_CALLBACK_CHARS} characters"))),
        false => Ok(()),
    }
}

/// An object's API name, or `Object.Field`.
///
/// # Errors
/// Why it is none.
pub fn check_api_name(name: &str) -> Result<(), String> {
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    match name.split('.').count() <= 2 && name.split('.').all(is_name) {
        true => Ok(()),
        false => Err("API names have letters, digits and underscores, and begin with a letter".to_owned()),
    }
}

/// A user name of an org: an e-mail address in form.
///
/// # Errors
/// Why it is none.
pub fn check_username(username: &str) -> Result<(), String> {
    check_email(username).map_err(|_| "a Salesforce user name has the form of an e-mail address".to_owned())
}

/// A word of a command line, quoted when a shell would read more into it.
pub(crate) fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '_' | '-' | '+');
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// A short name for the org among commands: the first part of its My Domain.
pub(crate) fn alias(org: Option<&OrgUrl>) -> String {
    let label = org.filter(|org| !org.is_generic()).and_then(|org| org.host().split('.').next().map(str::to_owned));
    label.unwrap_or_else(|| "acme".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_name_is_derived_as_setup_does_it() {
        for (label, name) in [
            ("Acme Sync", "Acme_Sync"),
            ("Acme & Söhne  Sync!", "Acme_S_hne_Sync"),
            ("_x__y_", "x_y"),
            ("1st", "1st"),
            ("日本", ""),
        ] {
            assert_eq!(api_name(label), name, "{label}");
        }
    }

    #[test]
    fn names_that_the_platform_refuses_are_refused_here() {
        for label in ["", " x", "1st", "日本", "a\nb", &"x".repeat(66)] {
            assert!(check_label(label).is_err(), "{label:?}");
        }
        assert_eq!(check_label("Acme & Söhne <Sync>"), Ok(()));
        for email in ["", "x", "x@y", "a b@c.de", "x@y..z", "x@y.z,w@y.z", "<x@y.z>"] {
            assert!(check_email(email).is_err(), "{email:?}");
        }
        assert_eq!(check_email("o'neil+sf@sub.example.com"), Ok(()));
    }

    #[test]
    fn a_word_that_a_shell_would_read_into_is_quoted() {
        assert_eq!(shell("sync.bot+1@acme.example"), "sync.bot+1@acme.example");
        assert_eq!(shell("o'neil$(id)@acme.example"), r"'o'\''neil$(id)@acme.example'");
    }

    #[test]
    fn callbacks_are_accepted_as_setup_accepts_them() {
        for url in [
            "https://sync.example.com/oauth/callback",
            "http://localhost",
            "http://localhost:8723/oauth/callback",
            "com.example.app://done",
        ] {
            assert_eq!(check_callback(url), Ok(()), "{url}");
        }
        for url in ["", "sync.example.com", "http://sync.example.com", "javascript:alert(1)"] {
            assert!(check_callback(url).is_err(), "{url}");
        }
    }
}
