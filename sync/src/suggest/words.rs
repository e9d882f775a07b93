//! Names as words, so that `E_Mail__c`, `email_address` and "E-mail" are the same.

/// What people call the same thing, in words after [`split`]; the longest first among those that begin alike.
const SAME: &[(&[&str], &[&str])] = &[
    (&["e", "mail", "address"], &["email"]),
    (&["email", "address"], &["email"]),
    (&["e", "mail"], &["email"]),
    (&["date", "of", "birth"], &["birthdate"]),
    (&["birth", "date"], &["birthdate"]),
    (&["birthday"], &["birthdate"]),
    (&["dob"], &["birthdate"]),
    (&["zip", "code"], &["postal", "code"]),
    (&["post", "code"], &["postal", "code"]),
    (&["zip"], &["postal", "code"]),
    (&["postcode"], &["postal", "code"]),
    (&["mobile", "phone", "number"], &["mobile", "phone"]),
    (&["mobile", "phone"], &["mobile", "phone"]),
    (&["mobile", "number"], &["mobile", "phone"]),
    (&["cell", "phone"], &["mobile", "phone"]),
    (&["mobile"], &["mobile", "phone"]),
    (&["cell"], &["mobile", "phone"]),
    (&["phone", "number"], &["phone"]),
    (&["telephone"], &["phone"]),
    (&["tel"], &["phone"]),
    (&["family", "name"], &["last", "name"]),
    (&["surname"], &["last", "name"]),
    (&["lastname"], &["last", "name"]),
    (&["given", "name"], &["first", "name"]),
    (&["forename"], &["first", "name"]),
    (&["firstname"], &["first", "name"]),
    (&["company", "name"], &["account", "name"]),
    (&["company"], &["account"]),
    (&["created", "at"], &["created", "date"]),
    (&["created", "on"], &["created", "date"]),
    (&["updated", "at"], &["last", "modified", "date"]),
    (&["updated", "on"], &["last", "modified", "date"]),
    (&["modified", "at"], &["last", "modified", "date"]),
    (&["last", "updated"], &["last", "modified", "date"]),
    (&["web", "site"], &["website"]),
    (&["homepage"], &["website"]),
    (&["url"], &["website"]),
    (&["job", "title"], &["title"]),
    (&["headcount"], &["number", "of", "employee"]),
    (&["employee", "count"], &["number", "of", "employee"]),
    (&["turnover"], &["annual", "revenue"]),
    (&["province"], &["state"]),
    (&["region"], &["state"]),
    (&["town"], &["city"]),
    (&["qty"], &["quantity"]),
    (&["amt"], &["amount"]),
    (&["desc"], &["description"]),
    (&["nr"], &["number"]),
    (&["num"], &["number"]),
    (&["no"], &["number"]),
    (&["salesforce", "id"], &["id"]),
    (&["sf", "id"], &["id"]),
];

/// The words of an API name, a column's name or a label, in lower case and in the singular, the same thing said alike.
pub(super) fn words(name: &str) -> Vec<String> {
    let plain: Vec<String> = split(bare(name)).into_iter().map(singular).collect();
    let mut said = Vec::with_capacity(plain.len());
    let mut rest = plain.as_slice();
    while let Some((first, others)) = rest.split_first() {
        match SAME.iter().find(|(from, _)| rest.len() >= from.len() && rest.iter().zip(*from).all(|(a, b)| a == b)) {
            Some((from, to)) => {
                said.extend(to.iter().map(|word| (*word).to_owned()));
                rest = &rest[from.len()..];
            }
            None => {
                said.push(first.clone());
                rest = others;
            }
        }
    }
    said
}

/// `vendor_id` of `acme__Vendor_Id__c`.
pub(super) fn snake(name: &str) -> String {
    split(bare(name)).join("_")
}

/// Without the suffix of custom fields and the prefix of a package.
fn bare(name: &str) -> &str {
    let suffix = ["__c", "__pc", "__r"].into_iter().find_map(|suffix| name.strip_suffix(suffix));
    let Some(custom) = suffix else { return name };
    match custom.split_once("__") {
        Some((_, own)) if !own.is_empty() => own,
        _ => custom,
    }
}

fn split(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    let mut signs = name.chars().peekable();
    while let Some(sign) = signs.next() {
        let is_word = sign.is_alphanumeric();
        // `firstName`, and `HTMLBody` before its second word.
        let begins = sign.is_uppercase()
            && (before.is_lowercase()
                || before.is_ascii_digit()
                || before.is_uppercase() && signs.peek().is_some_and(|next| next.is_lowercase()));
        if (begins || !is_word) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if is_word {
            word.extend(sign.to_lowercase());
        }
        before = sign;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn singular(word: String) -> String {
    match word.strip_suffix('s') {
        Some(one) if one.len() > 2 && !one.ends_with(['s', 'u', 'i']) => one.to_owned(),
        _ => word,
    }
}

/// How alike two names are, from 0 to 1.
pub(super) fn likeness(a: &[String], b: &[String]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let (whole_a, whole_b) = (a.concat(), b.concat());
    if whole_a == whole_b {
        return 1.0;
    }
    let best = |word: &String| {
        let alike = b.iter().map(|other| strsim::jaro_winkler(word, other)).fold(0.0, f64::max);
        if alike >= 0.9 { alike } else { 0.0 }
    };
    let shared = 2.0 * a.iter().map(best).sum::<f64>() / (a.len() + b.len()) as f64;
    let whole = strsim::jaro_winkler(&whole_a, &whole_b);
    let whole = if whole > 0.88 { whole * 0.85 } else { 0.0 };
    (shared * 0.95).min(0.95).max(whole)
}
