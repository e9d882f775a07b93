//! Secrets come from a file, the environment, or a person without echo; never from an argument, which every user of the
//! machine could read.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use inquire::{Password, PasswordDisplayMode, Text};
use zeroize::Zeroizing;

use crate::{config, error::Error};

/// One secret that a command needs.
pub(super) struct Asked<'a> {
    /// As a person knows it.
    pub(super) what: &'static str,
    pub(super) file: Option<&'a PathBuf>,
    pub(super) variable: &'static str,
    pub(super) remedy: &'static str,
}

impl Asked<'_> {
    /// The secret; asks for it when it is given nowhere.
    pub(super) fn required<S: From<String>>(&self) -> Result<S, Error> {
        if let Some(given) = self.given()? {
            return Ok(given);
        }
        let typed = self.typed()?.filter(|typed| !typed.is_empty());
        typed.map(S::from).ok_or(Error::Missing { what: self.what, remedy: self.remedy })
    }

    /// The secret, or nothing when a person leaves it empty.
    pub(super) fn optional<S: From<String>>(&self) -> Result<Option<S>, Error> {
        if let Some(given) = self.given()? {
            return Ok(Some(given));
        }
        Ok(self.typed()?.filter(|typed| !typed.is_empty()).map(S::from))
    }

    /// The secret, where it is given without asking.
    pub(super) fn given<S: From<String>>(&self) -> Result<Option<S>, Error> {
        if let Some(file) = self.file {
            return read(file, self.what).map(|secret| Some(S::from(secret)));
        }
        Ok(config::environment_secret(self.variable).map(S::from))
    }

    /// What a person types; `None` when nobody is there.
    fn typed(&self) -> Result<Option<String>, Error> {
        if !is_interactive() {
            return Ok(None);
        }
        let prompt = Password::new(&format!("{}:", self.what))
            .without_confirmation()
            .with_display_mode(PasswordDisplayMode::Hidden)
            .prompt();
        prompt.map(Some).map_err(|error| unreadable(self.what, &error))
    }
}

/// Something that is no secret, asked for when it is not given.
pub(super) fn ask(what: &'static str, given: Option<String>, remedy: &'static str) -> Result<String, Error> {
    if let Some(given) = given.filter(|given| !given.trim().is_empty()) {
        return Ok(given.trim().to_owned());
    }
    if !is_interactive() {
        return Err(Error::Missing { what, remedy });
    }
    let typed = Text::new(&format!("{what}:")).prompt().map_err(|error| unreadable(what, &error))?;
    match typed.trim() {
        "" => Err(Error::Missing { what, remedy }),
        typed => Ok(typed.to_owned()),
    }
}

fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// The file's text without the line end that editors add.
fn read(file: &Path, what: &str) -> Result<String, Error> {
    let text = std::fs::read_to_string(file).map(Zeroizing::new).map_err(|error| Error::Unreadable {
        what: format!("{what} in {}", file.display()),
        reason: error.to_string(),
    })?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

fn unreadable(what: &str, error: &inquire::InquireError) -> Error {
    Error::Unreadable { what: what.to_owned(), reason: error.to_string() }
}
