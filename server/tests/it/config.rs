//! The configuration: what wins, what is refused, and what the reference page promises.

use std::{collections::BTreeMap, path::Path};

use orgtide::{
    config::{Config, ConfigError, KeySource, LogFormat, REFERENCE, Sources},
    vault::{Vault, source},
};
use secrecy::ExposeSecret;

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let home = [("HOME", "/ada")];
    home.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(&Sources { environment: environment(pairs), ..Sources::default() })
}

fn from_file(directory: &Path, text: &str, pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let file = directory.join("config.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(&Sources { file: Some(file), environment: environment(pairs), ..Sources::default() })
}

/// What can be compared of a configuration.
fn shown(config: &Config) -> String {
    format!(
        "{:?} {:?} {} {:?} {:?} {} {:?} {:?} {} {:?} {:?} {:?}",
        config.data_dir,
        config.database_url.is_some(),
        config.production,
        config.key,
        config.http.host_rules,
        config.bulk_threshold,
        config.overlap,
        config.describe_life,
        config.log_level,
        config.log_format,
        config.http.mapped_hosts,
        config.http.proxy,
    )
}

#[test]
fn the_reference_page_holds_the_defaults() {
    let directory = tempfile::tempdir().unwrap();
    let nothing = from_environment(&[]).unwrap();
    assert_eq!(shown(&from_file(directory.path(), REFERENCE, &[]).unwrap()), shown(&nothing));
    assert_eq!(nothing.data_dir, Path::new("/ada/.local/share/orgtide"));
}

#[test]
fn every_example_of_the_reference_page_is_a_setting() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("ca")).unwrap();
    let uncommented: String = REFERENCE
        .lines()
        .filter(|line| !line.contains("emulated-org"))
        .map(|line| {
            let is_setting = |line: &&str| (line.contains(" = ") && !line.starts_with(' ')) || line.starts_with('[');
            line.strip_prefix('#').filter(is_setting).unwrap_or(line)
        })
        // Of places that exclude each other, one is tried.
        .filter(|line| {
            !["command", "client_secret_file", "client_secret_variable"].iter().any(|it| line.starts_with(it))
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let config = from_file(directory.path(), &uncommented, &[]).unwrap();
    assert_eq!(config.data_dir, Path::new("/var/lib/orgtide"));
    assert!(matches!(&config.key, KeySource::File(path) if path == Path::new("/run/secrets/orgtide-keyring")));
    assert_eq!(config.http.proxy.as_ref().unwrap().as_str(), "http://proxy.internal:3128/");
    assert!(config.client_apps.find("acme").is_some());
    assert_eq!(config.callback_url(), "https://orgtide.example.com/oauth/callback");
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let text = "data_dir = \"from-file\"\n[read]\nbulk_threshold = 1\noverlap_seconds = 1\n[log]\nformat = \"json\"";
    let file = directory.path().join("config.toml");
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&Sources {
        file: Some(file),
        environment: environment(&[("ORGTIDE_BULK_THRESHOLD", "2"), ("ORGTIDE_LOG_LEVEL", "debug")]),
        flags: vec![("log.level", "trace".into())],
    })
    .unwrap();
    assert_eq!(config.data_dir, directory.path().join("from-file"), "a relative path starts at the file");
    assert_eq!((config.bulk_threshold, config.overlap.as_secs()), (2, 1));
    assert_eq!((config.log_level, config.log_format), (tracing::Level::TRACE, LogFormat::Json));
}

#[test]
fn a_misspelt_setting_is_refused_with_the_one_that_is_meant() {
    let directory = tempfile::tempdir().unwrap();
    for (text, variables, name, suggestion) in [
        ("datadir = \"x\"", &[][..], "datadir", Some("data_dir")),
        ("[http]\nproxi = \"x\"", &[], "http.proxi", Some("http.proxy")),
        ("[colours]\nred = 1", &[], "colours", None),
        ("", &[("ORGTIDE_DATADIR", "x")], "ORGTIDE_DATADIR", Some("ORGTIDE_DATA_DIR")),
        ("", &[("ORGTIDE_CLIENT_SECRETT", "x")], "ORGTIDE_CLIENT_SECRETT", Some("ORGTIDE_CLIENT_SECRET")),
    ] {
        let error = from_file(directory.path(), text, variables).err().expect(name);
        let ConfigError::Unknown { name: found, suggestion: meant, .. } = &error else { panic!("{error:?}") };
        assert_eq!((found.as_str(), meant.as_deref()), (name, suggestion));
    }
    let error = from_environment(&[("ORGTIDE_DATADIR", "x")]).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the environment: there is no setting \"ORGTIDE_DATADIR\"; \"ORGTIDE_DATA_DIR\" is meant, perhaps"
    );
}

#[test]
fn variables_that_kubernetes_sets_beside_a_service_are_no_mistake() {
    from_environment(&[("ORGTIDE_SERVICE_HOST", "10.0.0.1"), ("ORGTIDE_PORT_80_TCP", "tcp://10.0.0.1:80")]).unwrap();
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_with_where_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    for (text, name) in [
        ("production = \"yes\"", "production"),
        ("[read]\nbulk_threshold = -1", "read.bulk_threshold"),
        ("[log]\nformat = \"xml\"", "log.format"),
        ("[log]\nlevel = \"loud\"", "log.level"),
        ("[http]\nproxy = \"not a url\"", "http.proxy"),
        ("[mapped_hosts]\nhosts = { \"acme.my.salesforce.com\" = \"localhost\" }", "mapped_hosts.hosts"),
    ] {
        let error = from_file(directory.path(), text, &[]).err().expect(name);
        assert!(matches!(&error, ConfigError::Invalid { name: found, .. } if found == name), "{error:?}");
        assert!(error.to_string().contains("config.toml"), "{error}");
    }
    let error = from_file(directory.path(), "production = ", &[]).err().unwrap();
    assert!(matches!(error, ConfigError::Syntax { .. }), "{error:?}");
}

#[test]
fn hosts_are_mapped_outside_production_and_refused_inside() {
    let mapped = ("ORGTIDE_MAPPED_HOSTS", "acme.my.salesforce.com=127.0.0.1:8443, login.salesforce.com=127.0.0.1:8443");
    let config = from_environment(&[mapped]).unwrap();
    assert_eq!(config.http.mapped_hosts.len(), 2);
    let key = ("ORGTIDE_KEY", "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let error = from_environment(&[mapped, key, ("ORGTIDE_PRODUCTION", "true")]).err();
    assert_eq!(error, Some(ConfigError::MappedInProduction));
}

#[test]
fn receivers_inside_the_network_are_named_in_the_configuration_and_http_is_not_for_production() {
    let inside = ("ORGTIDE_WEBHOOK_ALLOW", "10.20.0.0/16, fd00:1::2");
    let config = from_environment(&[inside, ("ORGTIDE_WEBHOOK_PROXY", "http://egress.internal:4750")]).unwrap();
    let shown: Vec<String> = config.webhooks.policy.allow.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.20.0.0/16", "fd00:1::2/128"]);
    assert_eq!(config.webhooks.proxy.unwrap().host_str(), Some("egress.internal"));
    for wrong in ["10.20.0.0/33", "example.com"] {
        let error = from_environment(&[("ORGTIDE_WEBHOOK_ALLOW", wrong)]).err().unwrap();
        assert!(matches!(&error, ConfigError::Invalid { name, .. } if name == "webhook.allow"), "{error:?}");
    }
    let plain = ("ORGTIDE_WEBHOOK_ALLOW_HTTP", "true");
    let key = ("ORGTIDE_KEY", "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    assert!(from_environment(&[plain]).unwrap().webhooks.policy.allow_http);
    let error = from_environment(&[plain, key, ("ORGTIDE_PRODUCTION", "true")]).err();
    assert_eq!(error, Some(ConfigError::PlainWebhooksInProduction));
}

#[test]
fn production_wants_a_keyring_from_outside_the_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let inside = data.join("keyring");
    std::fs::write(&inside, &*Vault::fresh_keyring()).unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&inside, &link).unwrap();
    let outside = directory.path().join("keyring");
    let production = |key: &[(&str, &str)]| {
        let mut pairs = vec![("ORGTIDE_PRODUCTION", "true"), ("ORGTIDE_DATA_DIR", data.to_str().unwrap())];
        pairs.extend(key);
        from_environment(&pairs)
    };
    assert_eq!(production(&[]).err(), Some(ConfigError::NoKeyInProduction));
    for path in [&inside, &link] {
        let error = production(&[("ORGTIDE_KEY_FILE", path.to_str().unwrap())]).err();
        assert_eq!(error, Some(ConfigError::KeyBesideDataInProduction { path: path.clone() }));
    }
    production(&[("ORGTIDE_KEY_FILE", outside.to_str().unwrap())]).unwrap();
    let twice = production(&[("ORGTIDE_KEY_FILE", "/k"), ("ORGTIDE_KEY", "1 x")]);
    assert_eq!(twice.err(), Some(ConfigError::TwoKeys));
}

#[test]
fn a_keyring_is_created_once_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let config = from_environment(&[("ORGTIDE_DATA_DIR", directory.path().to_str().unwrap())]).unwrap();
    let first = source::load_or_create(&config).unwrap();
    let file = first.1.expect("there was none");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let record = first.0.seal(orgtide::vault::Place { table: "t", row: "r", column: "c" }, b"x");
    let second = source::load_or_create(&config).unwrap();
    assert_eq!(second.1, None);
    second.0.open(orgtide::vault::Place { table: "t", row: "r", column: "c" }, &record).unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left behind");
}

#[test]
fn a_keyring_comes_from_a_command_and_a_failing_command_is_named() {
    let keyring = "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let directory = tempfile::tempdir().unwrap();
    let text = format!("[key]\ncommand = [\"echo\", \"{keyring}\"]");
    source::load(&from_file(directory.path(), &text, &[]).unwrap()).unwrap();
    for (command, reason) in [("false", "false ended with exit status: 1"), ("no-such-program", "cannot be run")] {
        let config = from_environment(&[("ORGTIDE_KEY_COMMAND", command)]).unwrap();
        let error = source::load_or_create(&config).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_configuration_never_shows_its_secrets() {
    let config =
        from_environment(&[("ORGTIDE_DATABASE_URL", "postgres://u:SENTINEL@h/d"), ("ORGTIDE_KEY", "SENTINEL")])
            .unwrap();
    assert!(!format!("{:?} {:?}", config.key, config.database_url).contains("SENTINEL"));
    assert!(!source::load_or_create(&config).unwrap_err().to_string().contains("SENTINEL"));
    assert_eq!(config.database_url.unwrap().expose_secret(), "postgres://u:SENTINEL@h/d");
}
