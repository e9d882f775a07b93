//! Where a password comes from. It never stands in an address, because addresses are stored and shown.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use tokio_postgres::{Config, config::Host};

/// Which place is asked for the password when a connection is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum PasswordSource {
    /// As PostgreSQL's own programs do: `PGPASSWORD`, else the file `PGPASSFILE` or `~/.pgpass`; none is no error.
    #[default]
    Usual,
    /// An environment variable, which has to be set.
    Variable(String),
    /// A file of lines `host:port:database:user:password`, which has to be there.
    File(PathBuf),
}

/// The password for a connection; `None` where the server is expected to want none.
///
/// # Errors
/// In words: the variable or file that the address names gives none.
pub(super) fn password(source: &PasswordSource, config: &Config) -> Result<Option<SecretString>, String> {
    look_up(source, config, |name| env::var_os(name))
}

fn look_up(
    source: &PasswordSource,
    config: &Config,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<SecretString>, String> {
    let text = |name: &str| variable(name).and_then(|value| value.into_string().ok()).filter(|text| !text.is_empty());
    match source {
        PasswordSource::Variable(name) => match text(name) {
            Some(password) => Ok(Some(password.into())),
            None => Err(format!("the environment variable {name}, which is to hold the password, is not set")),
        },
        PasswordSource::File(path) => {
            let found = in_file(path, config)?;
            found.map(Some).ok_or_else(|| format!("the file {} has no line for this server", path.display()))
        }
        PasswordSource::Usual => {
            if let Some(password) = text("PGPASSWORD") {
                return Ok(Some(password.into()));
            }
            let home = || Some(Path::new(&variable("HOME")?).join(".pgpass"));
            match variable("PGPASSFILE").map(PathBuf::from).or_else(home) {
                Some(path) if path.is_file() => in_file(&path, config),
                Some(_) | None => Ok(None),
            }
        }
    }
}

/// The password of the first line that fits (*The Password File* in PostgreSQL's manual).
fn in_file(path: &Path, config: &Config) -> Result<Option<SecretString>, String> {
    refuse_shared(path)?;
    let text = fs::read_to_string(path).map_err(|error| format!("the password file {}: {error}", path.display()))?;
    let wanted = target(config);
    Ok(text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let [host, port, database, user, password] = fields.as_slice() else { return None };
        let fits = [host, port, database, user]
            .into_iter()
            .zip(&wanted)
            .all(|(field, wanted)| field == "*" || field == wanted);
        fits.then(|| SecretString::from(password.as_str()))
    }))
}

/// Host, port, database and user of a connection, as a password file names them.
fn target(config: &Config) -> [String; 4] {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(folder)) if folder != Path::new("/var/run/postgresql") => folder.display().to_string(),
        #[cfg(unix)]
        Some(Host::Unix(_)) => "localhost".to_owned(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let user = config.get_user().unwrap_or_default().to_owned();
    [host, port, config.get_dbname().unwrap_or(&user).to_owned(), user]
}

/// The fields of a line; a backslash takes the next letter as it is.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let field = fields.last_mut().expect("there is always a field");
        match letter {
            ':' => fields.push(String::new()),
            '\\' => field.extend(letters.next()),
            other => field.push(other),
        }
    }
    fields
}

/// A file of passwords that others can read is not used, as by PostgreSQL's own programs.
#[cfg(unix)]
fn refuse_shared(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;

    let found = fs::metadata(path).map_err(|error| format!("the password file {}: {error}", path.display()))?;
    if found.permissions().mode() & 0o077 != 0 {
        return Err(format!("others can read the password file {0}: chmod 600 {0}", path.display()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_shared(_path: &Path) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    fn found(source: &PasswordSource, address: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        let password = look_up(source, &address.parse().unwrap(), variable)?;
        Ok(password.map(|password| password.expose_secret().to_owned()))
    }

    const ADDRESS: &str = "postgres://loader@db.example:5433/sales";

    #[test]
    fn the_variable_that_the_address_names_has_to_be_set() {
        let source = PasswordSource::Variable("SALES_DB".to_owned());
        assert_eq!(found(&source, ADDRESS, &[("SALES_DB", "s3cret")]), Ok(Some("s3cret".to_owned())));
        assert!(found(&source, ADDRESS, &[("PGPASSWORD", "other")]).unwrap_err().contains("SALES_DB"));
    }

    #[test]
    fn the_first_line_that_fits_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pgpass");
        let lines = "# a note\ndb.example:5432:*:loader:wrong port\n*:*:sales:loader:a\\:b\\\\c\n*:*:*:*:last\n";
        fs::write(&path, lines).unwrap();
        let source = PasswordSource::File(path.clone());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(found(&source, ADDRESS, &[]).unwrap_err().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(found(&source, ADDRESS, &[]), Ok(Some("a:b\\c".to_owned())));
        assert_eq!(found(&source, "postgres://other@elsewhere", &[]), Ok(Some("last".to_owned())));
        let path = path.to_str().unwrap();
        assert_eq!(found(&PasswordSource::Usual, ADDRESS, &[("PGPASSFILE", path)]), Ok(Some("a:b\\c".to_owned())));
    }

    #[test]
    fn a_server_may_want_no_password() {
        assert_eq!(found(&PasswordSource::Usual, ADDRESS, &[]), Ok(None));
        assert_eq!(found(&PasswordSource::Usual, ADDRESS, &[("HOME", "/nowhere")]), Ok(None));
        assert_eq!(found(&PasswordSource::Usual, ADDRESS, &[("PGPASSWORD", "p")]), Ok(Some("p".to_owned())));
    }
}
