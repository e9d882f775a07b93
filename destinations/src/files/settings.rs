//! Where files go, and what they are: a folder, or a bucket of an S3-compatible store.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use sync::{destination::DestinationError, table::StreamKey};

use super::{
    format::{FileFormat, Packing},
    name::safe,
};

/// How long files stay after a write has put others in their place, unless the address says otherwise.
const KEEP: Duration = Duration::from_secs(3600);

const IN_A_VALUE: AsciiSet = CONTROLS.add(b' ').add(b'%').add(b'&').add(b'#').add(b'?');

/// Where, and how long readers of an older version find its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesSettings {
    pub place: FilesPlace,
    pub format: FileFormat,
    /// Files that a write has replaced are there for this long.
    pub keep: Duration,
}

/// A folder or a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesPlace {
    Folder(PathBuf),
    Bucket(Bucket),
}

/// A bucket, and where it is. Credentials are no part of it: they come from AWS's environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    pub name: String,
    /// Without slashes around it; may be empty.
    pub prefix: String,
    pub region: Option<String>,
    /// A store other than Amazon's, such as `http://127.0.0.1:9000`.
    pub endpoint: Option<String>,
    /// `https://bucket.host/key` rather than `https://host/bucket/key`.
    pub virtual_hosted: bool,
}

impl FilesSettings {
    /// Parquet files in a folder, otherwise as by default.
    ///
    /// # Errors
    /// The path is empty.
    pub fn at(path: &Path) -> Result<Self, DestinationError> {
        if path.as_os_str().is_empty() {
            return Err(unusable("name a folder, such as parquet:/data/salesforce".to_owned()));
        }
        Ok(Self { place: FilesPlace::Folder(path.to_owned()), format: FileFormat::Parquet, keep: KEEP })
    }

    /// The same with a path that means the same from any working directory.
    #[must_use]
    pub fn absolute(mut self) -> Self {
        if let FilesPlace::Folder(path) = &mut self.place
            && let Ok(absolute) = std::path::absolute(&*path)
        {
            *path = absolute;
        }
        self
    }

    /// Reads `path?keep=3600`, which follows `parquet:`, `csv:` or `jsonl:`; `None`: this is no such scheme.
    pub(crate) fn parse_folder(scheme: &str, text: &str) -> Option<Result<Self, DestinationError>> {
        FileFormat::of_word(scheme).map(|format| Self::folder(format, text))
    }

    fn folder(format: FileFormat, text: &str) -> Result<Self, DestinationError> {
        let (path, parameter) = match text.rsplit_once('?') {
            Some((path, parameter)) if parameter.contains('=') => (path, Some(parameter)),
            Some(_) | None => (text, None),
        };
        let mut settings = Self { format, ..Self::at(Path::new(path))? };
        for (name, value) in parameter.into_iter().flat_map(parameters) {
            match name.as_str() {
                "keep" => settings.keep = seconds(&value)?,
                "compress" => settings.format = compressed(settings.format, &value)?,
                _ => {
                    let reason =
                        format!("{name:?} is no setting of a folder; there are keep=<seconds> and compress=gzip|none");
                    return Err(unusable(reason));
                }
            }
        }
        Ok(settings)
    }

    /// Reads `bucket/prefix?region=…&endpoint=…`, which follows `s3://`.
    pub(crate) fn parse_bucket(text: &str) -> Result<Self, DestinationError> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let (name, prefix) = path.split_once('/').unwrap_or((path, ""));
        if name.contains('@') {
            let reason = "an address holds no credentials, because it is stored and shown: set AWS_ACCESS_KEY_ID and \
                          AWS_SECRET_ACCESS_KEY in the environment instead";
            return Err(unusable(reason.to_owned()));
        }
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if name.len() < 3 || name.len() > 63 || !name.bytes().all(is_letter) {
            let reason = "name a bucket: s3://<bucket>/<prefix>?region=<region>".to_owned();
            return Err(unusable(reason));
        }
        let prefix = prefix.trim_matches('/').to_owned();
        if prefix.split('/').any(|part| matches!(part, "." | "..") || (part.is_empty() && !prefix.is_empty())) {
            return Err(unusable("a part of the prefix is empty, a dot or two; leave it out".to_owned()));
        }
        let mut bucket = Bucket { name: name.to_owned(), prefix, region: None, endpoint: None, virtual_hosted: false };
        let (mut keep, mut format, mut compress) = (KEEP, FileFormat::Parquet, None);
        for (name, value) in parameters(query) {
            match (name.as_str(), value.as_str()) {
                ("region", _) if !value.is_empty() => bucket.region = Some(value),
                ("endpoint", _) => bucket.endpoint = Some(endpoint(&value)?),
                ("style", "path") => bucket.virtual_hosted = false,
                ("style", "virtual") => bucket.virtual_hosted = true,
                ("keep", _) => keep = seconds(&value)?,
                ("format", word) if FileFormat::of_word(word).is_some() => {
                    format = FileFormat::of_word(word).unwrap_or_default();
                }
                ("compress", _) => compress = Some(value),
                _ if is_secret(&name) => {
                    let reason = "an address holds no credentials, because it is stored and shown: set \
                                  AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment instead";
                    return Err(unusable(reason.to_owned()));
                }
                _ => {
                    let reason = format!(
                        "{name:?} is no setting of a bucket, or its value is none; there are region=<region>, \
                         endpoint=<URL>, style=path|virtual, format=parquet|csv|jsonl, compress=gzip|none and \
                         keep=<seconds>"
                    );
                    return Err(unusable(reason));
                }
            }
        }
        if let Some(compress) = compress {
            format = compressed(format, &compress)?;
        }
        Ok(Self { place: FilesPlace::Bucket(bucket), format, keep })
    }

    /// The same with the connection's name where the address says `{connection}`.
    pub(crate) fn of(&self, stream: &StreamKey) -> Self {
        let mut settings = self.clone();
        let connection = safe(&stream.connection);
        match &mut settings.place {
            FilesPlace::Folder(path) => {
                if let Some(text) = path.to_str().filter(|text| text.contains(PLACEHOLDER)) {
                    *path = PathBuf::from(text.replace(PLACEHOLDER, &connection));
                }
            }
            FilesPlace::Bucket(bucket) => bucket.prefix = bucket.prefix.replace(PLACEHOLDER, &connection),
        }
        settings
    }

    /// The folder or bucket, as messages name it.
    pub(super) fn place(&self) -> String {
        match &self.place {
            FilesPlace::Folder(path) => format!("{} folder {}", self.format.family(), path.display()),
            FilesPlace::Bucket(bucket) => format!("{} bucket s3://{}", self.format.family(), bucket.path()),
        }
    }
}

const PLACEHOLDER: &str = "{connection}";

impl Bucket {
    fn path(&self) -> String {
        match self.prefix.is_empty() {
            true => self.name.clone(),
            false => format!("{}/{}", self.name, self.prefix),
        }
    }
}

impl fmt::Display for FilesSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parameters = Vec::new();
        match &self.place {
            FilesPlace::Folder(path) => write!(out, "{}:{}", self.format.word(), path.display())?,
            FilesPlace::Bucket(bucket) => {
                write!(out, "s3://{}", bucket.path())?;
                let mut add = |name: &str, value: &str| {
                    parameters.push(format!("{name}={}", utf8_percent_encode(value, &IN_A_VALUE)));
                };
                bucket.region.iter().for_each(|region| add("region", region));
                bucket.endpoint.iter().for_each(|endpoint| add("endpoint", endpoint));
                if bucket.virtual_hosted {
                    add("style", "virtual");
                }
                if self.format.word() != FileFormat::Parquet.word() {
                    add("format", self.format.word());
                }
            }
        }
        if self.format.packing() == Packing::Gzip {
            parameters.push("compress=gzip".to_owned());
        }
        let may_be_read_as_a_parameter =
            matches!(&self.place, FilesPlace::Folder(path) if path.to_string_lossy().contains('?'));
        if self.keep != KEEP || may_be_read_as_a_parameter {
            parameters.push(format!("keep={}", self.keep.as_secs()));
        }
        match parameters.is_empty() {
            true => Ok(()),
            false => write!(out, "?{}", parameters.join("&")),
        }
    }
}

fn parameters(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

fn compressed(format: FileFormat, text: &str) -> Result<FileFormat, DestinationError> {
    let packing = match text {
        "none" => Packing::Plain,
        "gzip" => Packing::Gzip,
        _ => return Err(unusable(format!("compress is gzip or none, not {text:?}"))),
    };
    let reason = "Parquet files are compressed as they are; leave compress out";
    format.packed(packing).ok_or_else(|| unusable(reason.to_owned()))
}

fn seconds(text: &str) -> Result<Duration, DestinationError> {
    let seconds = text.parse().map_err(|_| unusable(format!("keep is a number of seconds, not {text:?}")))?;
    Ok(Duration::from_secs(seconds))
}

fn endpoint(text: &str) -> Result<String, DestinationError> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let authority = host.split('/').next().unwrap_or_default();
    if authority.is_empty() || authority.contains('@') || host.contains('?') {
        let reason = "endpoint is the URL of a store, such as https://minio.example:9000, without credentials";
        return Err(unusable(reason.to_owned()));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["key", "secret", "token", "password"].iter().any(|word| name.contains(word))
}

fn unusable(reason: String) -> DestinationError {
    DestinationError::Unusable { place: "the destination".to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DestinationSettings;

    fn read(text: &str) -> String {
        text.parse::<DestinationSettings>().map_or_else(|error| error.to_string(), |settings| settings.to_string())
    }

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for text in [
            "parquet:/data/salesforce",
            "parquet:data?keep=60",
            "parquet:/odd?name?keep=3600",
            "s3://rows-of-acme",
            "s3://rows/a/b?region=eu-central-1",
            "s3://rows/a?region=us-east-1&endpoint=http://127.0.0.1:9000&keep=0",
            "s3://rows?style=virtual",
            "csv:/data/salesforce",
            "jsonl:/data?compress=gzip&keep=60",
            "csv:/odd?name?keep=3600",
            "s3://rows/a?region=us-east-1&format=csv&compress=gzip",
        ] {
            assert_eq!(read(text), text);
        }
        assert_eq!(read("s3://rows//a/?style=path"), "s3://rows/a");
        assert_eq!(read("parquet:/odd?name"), "parquet:/odd?name?keep=3600");
    }

    #[test]
    fn what_no_address_can_say_is_refused_with_what_to_write_and_no_secret_is_repeated() {
        for (text, words) in [
            ("parquet:", "name a folder"),
            ("parquet:/data?fast=yes", "keep=<seconds>"),
            ("parquet:/data?keep=soon", "number of seconds"),
            ("s3://", "name a bucket"),
            ("parquet:/data?compress=gzip", "compressed as they are"),
            ("csv:/data?compress=zip", "gzip or none"),
            ("s3://rows?format=xml", "format=parquet|csv|jsonl"),
            ("csv:", "name a folder"),
            ("s3://a b/c", "name a bucket"),
            ("s3://AKIA:hunter2@rows/a", "AWS_SECRET_ACCESS_KEY"),
            ("s3://rows?secret_access_key=hunter2", "AWS_SECRET_ACCESS_KEY"),
            ("s3://rows?endpoint=http://ada:hunter2@h", "without credentials"),
            ("s3://rows?endpoint=minio:9000", "https://minio.example:9000"),
            ("s3://rows?style=odd", "style=path|virtual"),
            ("s3://rows/a/../b", "prefix"),
        ] {
            let said = read(text);
            assert!(said.contains(words) && !said.contains("hunter2"), "{text}: {said}");
        }
    }

    #[test]
    fn the_name_of_a_connection_stands_where_the_address_asks_for_it() {
        let stream = StreamKey {
            connection: "a/b".to_owned(),
            org: String::new(),
            installation: String::new(),
            object: String::new(),
            table: String::new(),
            stream: None,
        };
        let of = |text: &str| {
            let DestinationSettings::Files(settings) = text.parse().unwrap() else { panic!("{text} is files") };
            settings.of(&stream).to_string()
        };
        assert_eq!(of("parquet:/data/{connection}"), "parquet:/data/a%2Fb");
        assert_eq!(of("s3://rows/sf/{connection}"), "s3://rows/sf/a%2Fb");
    }
}
