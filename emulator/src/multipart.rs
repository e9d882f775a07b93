//! `multipart/form-data` (RFC 7578): forms, as the vendor's command line sends them, and records with their files.

use memchr::memmem;

/// A named part of a body.
pub(crate) struct Part<'a> {
    pub(crate) name: String,
    /// The media type, in lower case and without parameters.
    pub(crate) media: Option<String>,
    pub(crate) bytes: &'a [u8],
}

/// The parts of a body. What is not well-formed is left out.
pub(crate) fn parts<'a>(content_type: &str, body: &'a [u8]) -> Vec<Part<'a>> {
    let Some(boundary) = parameter(content_type, "boundary") else {
        return Vec::new();
    };
    let delimiter = format!("--{boundary}");
    let starts: Vec<usize> = memmem::find_iter(body, delimiter.as_bytes()).collect();
    starts.windows(2).filter_map(|pair| part(body.get(pair[0] + delimiter.len()..pair[1])?)).collect()
}

/// The parts that are text, by name.
pub(crate) fn fields(content_type: &str, body: &[u8]) -> Vec<(String, String)> {
    let text = |part: Part<'_>| Some((part.name, String::from_utf8(part.bytes.to_vec()).ok()?));
    parts(content_type, body).into_iter().filter_map(text).collect()
}

/// One part: `\r\n`, headers, an empty line, the value, `\r\n`.
fn part(part: &[u8]) -> Option<Part<'_>> {
    let part = part.strip_prefix(b"\r\n")?;
    let end_of_head = memmem::find(part, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&part[..end_of_head]).ok()?;
    let bytes = part[end_of_head + 4..].strip_suffix(b"\r\n")?;
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then_some(value.trim())
        })
    };
    let name = parameter(header("content-disposition")?, "name")?;
    let media = header("content-type").map(|value| value.split(';').next().unwrap_or_default().trim());
    Some(Part { name, media: media.map(str::to_ascii_lowercase), bytes })
}

/// A parameter of a header value, unquoted.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_read_with_values_that_hold_line_breaks() {
        let body = "--b1\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\npassword\r\n\
                    --b1\r\ncontent-disposition: form-data; name=\"x\"\r\nContent-Type: text/plain\r\n\r\na\r\nb\r\n--b1--\r\n";
        let fields = fields("multipart/form-data; boundary=b1", body.as_bytes());
        let expected = [("grant_type", "password"), ("x", "a\r\nb")];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(prop_oneof![Just(b'-'), Just(b'b'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..200)) {
            fields("multipart/form-data; boundary=b", &body);
        }
    }
}
