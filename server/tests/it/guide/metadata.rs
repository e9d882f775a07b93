//! The files of an app against the Metadata API: elements by name, in order, and nothing else.

use std::{collections::BTreeMap, path::Path};

use orgtide::guide::{
    access::Access,
    package::{AppPackage, Certificate, PackageFile, PackageRequest},
};
use salesforce::oauth::Flow;
use sync::{
    catalogue::Catalogue,
    mapping::{ColumnMapping, Mapping},
};

/// Types with their folder, their suffix and their fields (Metadata API WSDL v66; folders and suffixes: metadata registry
/// of the Salesforce CLI). Fields marked `!` are required.
const TYPES: [(&str, &str, &str, &str); 6] = [
    (
        "ExternalClientApplication",
        "externalClientApps",
        ".eca",
        "contactEmail contactPhone description distributionState iconUrl infoUrl isProtected label logoUrl managedType \
         orgScopedExternalApp",
    ),
    (
        "ExtlClntAppGlobalOauthSettings",
        "extlClntAppGlobalOauthSets",
        ".ecaGlblOauth",
        "callbackUrl certificate consumerKey consumerSecret externalClientApplication! idTokenConfig \
         isClientCredentialsFlowEnabled isCodeCredFlowEnabled isCodeCredPostOnly isConsumerSecretOptional \
         isDeviceFlowEnabled isIntrospectAllTokens isNamedUserJwtEnabled isPkceRequired isRefreshTokenRotationEnabled \
         isSecretRequiredForRefreshToken isSecretRequiredForTokenExchange isTokenExchangeEnabled label \
         shouldRotateConsumerKey shouldRotateConsumerSecret",
    ),
    (
        "ExtlClntAppOauthSettings",
        "extlClntAppOauthSettings",
        ".ecaOauth",
        "areAttributesIncludedInAssetToken areCustomPermsIncludedInAssetToken assetTokenAudiences \
         assetTokenSigningCertificate assetTokenValidity clientAssertionCertificate commaSeparatedCustomScopes \
         commaSeparatedOauthScopes customAttributes externalClientApplication! isFirstPartyAppEnabled label oauthLink \
         singleLogoutUrl trustedIpRanges",
    ),
    (
        "ExtlClntAppOauthConfigurablePolicies",
        "extlClntAppOauthPolicies",
        ".ecaOauthPlcy",
        "apexHandler clientCredentialsFlowUser commaSeparatedCustomScopes commaSeparatedPermissionSet \
         commaSeparatedProfile customAttributes executeHandlerAs externalClientApplication! guestJwtSessionTimeoutType \
         guestJwtTimeout ipRelaxationPolicyType isClientCredentialsFlowEnabled isGuestCodeCredFlowEnabled \
         isTokenExchangeFlowEnabled label namedUserJwtSessionTimeoutType namedUserJwtTimeout permittedUsersPolicyType \
         policyAction refreshTokenPolicyType refreshTokenValidityPeriod refreshTokenValidityUnit requiredSessionLevel \
         sessionTimeoutInMinutes singleLogoutUrl startUrl",
    ),
    (
        "ExtlClntAppConfigurablePolicies",
        "extlClntAppPolicies",
        ".ecaPlcy",
        "externalClientApplication! isCanvasPluginEnabled isEnabled! isMobilePluginEnabled \
         isNotificationPluginEnabled isOauthPluginEnabled isPushPluginEnabled isSamlPluginEnabled label startPage startUrl",
    ),
    (
        "PermissionSet",
        "permissionsets",
        ".permissionset",
        "description fieldPermissions hasActivationRequired label! license objectPermissions userPermissions",
    ),
];

/// What repeats in a permission set, with its fields.
const ENTRIES: [(&str, &str); 3] = [
    ("fieldPermissions", "editable! field! readable"),
    (
        "objectPermissions",
        "allowCreate! allowDelete! allowEdit! allowRead! modifyAllRecords! object! viewAllFields viewAllRecords!",
    ),
    ("userPermissions", "enabled! name!"),
];

const CERTIFICATE: &str = include_str!("../../../../emulator/tests/it/keys/client.crt.pem");
const FLOWS: [Flow; 4] = [Flow::WebServer, Flow::Device, Flow::ClientCredentials, Flow::JwtBearer];
const CALLBACKS: [&str; 2] = ["https://sync.example.com/oauth/callback?a=1&b=2", "http://localhost:1717/OauthRedirect"];
/// A name that breaks what is not escaped.
const NAME: &str = "Acme & Söhne <Sync> \"1\"";

fn package(flow: Flow, public_client: bool) -> AppPackage {
    let column = |field: &str| ColumnMapping::field(field);
    let columns = ["Email", "Level__c", "Account.Industry"].map(column).to_vec();
    let mapping = Mapping { object: "Contact".into(), columns, ..Mapping::default() };
    AppPackage::new(PackageRequest {
        flow,
        public_client,
        name: NAME.into(),
        contact_email: "admin@acme.example".into(),
        callback_urls: CALLBACKS.map(str::to_owned).to_vec(),
        integration_user: Some("o'neil@acme.example".into()),
        certificate: Some(Certificate::from_pem(CERTIFICATE).unwrap()),
        access: Access::of(&[mapping], &Catalogue::default()),
        org: None,
        connection: None,
    })
    .unwrap()
}

fn every_package() -> Vec<AppPackage> {
    let confidential = FLOWS.into_iter().map(|flow| package(flow, false));
    confidential.chain([Flow::WebServer, Flow::Device].map(|flow| package(flow, true))).collect()
}

fn document(file: &PackageFile) -> roxmltree::Document<'_> {
    roxmltree::Document::parse(&file.text).unwrap_or_else(|error| panic!("{}: {error}", file.path))
}

fn children<'a>(node: roxmltree::Node<'a, 'a>) -> Vec<roxmltree::Node<'a, 'a>> {
    node.children().filter(roxmltree::Node::is_element).collect()
}

/// Every child is a field of the type, the required ones are there, and all come in the order of the alphabet.
fn assert_fields(path: &str, node: roxmltree::Node<'_, '_>, fields: &str) {
    let names: Vec<&str> = children(node).iter().map(|child| child.tag_name().name()).collect();
    let known: Vec<&str> = fields.split_whitespace().map(|field| field.trim_end_matches('!')).collect();
    for name in &names {
        assert!(known.contains(name), "{path}: {name} is no field");
    }
    assert!(names.is_sorted(), "{path}: {names:?}");
    for required in fields.split_whitespace().filter_map(|field| field.strip_suffix('!')) {
        assert!(names.contains(&required), "{path}: {required} is missing");
    }
}

#[test]
fn every_element_of_every_file_is_one_of_its_type_and_in_order() {
    for package in every_package() {
        let files = package.files();
        let source: Vec<&PackageFile> = files.iter().filter(|file| file.path.starts_with("force-app/")).collect();
        assert_eq!(source.len(), TYPES.len());
        for file in source {
            let document = document(file);
            let root = document.root_element();
            assert_eq!(root.tag_name().namespace(), Some("http://soap.sforce.com/2006/04/metadata"));
            let (name, folder, suffix, fields) =
                TYPES.into_iter().find(|(name, ..)| *name == root.tag_name().name()).unwrap();
            let ending = format!("{suffix}-meta.xml");
            assert!(file.path.starts_with(&format!("force-app/main/default/{folder}/")), "{name}: {}", file.path);
            assert!(file.path.ends_with(&ending), "{name}: {}", file.path);
            assert_fields(&file.path, root, fields);
            for child in children(root).into_iter().filter(|child| child.children().any(|node| node.is_element())) {
                let (_, fields) = ENTRIES.into_iter().find(|(name, _)| *name == child.tag_name().name()).unwrap();
                assert_fields(&file.path, child, fields);
            }
        }
    }
}

#[test]
fn texts_come_back_as_they_were_given() {
    let files = package(Flow::ClientCredentials, false).files();
    let texts: Vec<String> = files
        .iter()
        .filter(|file| file.path.ends_with(".xml"))
        .flat_map(|file| {
            document(file).descendants().filter_map(|node| node.text().map(str::to_owned)).collect::<Vec<_>>()
        })
        .collect();
    for text in [NAME, &CALLBACKS.join("\n"), "o'neil@acme.example"] {
        assert!(texts.iter().any(|found| found == text), "{text}");
    }
}

#[test]
fn the_manifest_names_every_component() {
    let files = package(Flow::Device, false).files();
    let manifest = files.iter().find(|file| file.path == "manifest/package.xml").unwrap();
    let document = document(manifest);
    let listed: BTreeMap<String, String> = children(document.root_element())
        .into_iter()
        .filter(|node| node.tag_name().name() == "types")
        .map(|node| {
            let text = |name: &str| {
                let child = children(node).into_iter().find(|child| child.tag_name().name() == name).unwrap();
                child.text().unwrap().to_owned()
            };
            (text("name"), text("members"))
        })
        .collect();
    assert_eq!(listed.len(), TYPES.len());
    for (name, folder, suffix, _) in TYPES {
        let path = format!("force-app/main/default/{folder}/{}{suffix}-meta.xml", listed[name]);
        assert!(files.iter().any(|file| file.path == path), "{path}");
    }
}

#[test]
fn the_files_of_each_flow_are_as_before() {
    for flow in FLOWS {
        let files = package(flow, false).files();
        let text: String = files
            .iter()
            .filter(|file| file.path.contains("Oauth") || file.path == "README.md")
            .map(|file| format!("==> {}\n{}\n", file.path, file.text))
            .collect();
        insta::assert_snapshot!(format!("package_{}", flow.name()), text);
    }
}

#[test]
fn a_public_client_needs_no_secret_and_rotates_all_the_same() {
    let files = package(Flow::WebServer, true).files();
    let global = files.iter().find(|file| file.path.contains("GlobalOauthSets")).unwrap();
    for element in [
        "<isConsumerSecretOptional>true<",
        "<isSecretRequiredForRefreshToken>false<",
        "<isPkceRequired>true<",
        "<isRefreshTokenRotationEnabled>true<",
    ] {
        assert!(global.text.contains(element), "{element}: {}", global.text);
    }
}

#[test]
fn an_emulated_org_takes_every_package_as_it_is() {
    for package in every_package() {
        let folder = tempfile::tempdir().unwrap();
        orgtide::guide::package::write(folder.path(), &package.files(), false).unwrap();
        let mut scenario = emulator::Scenario::builtin("acme").unwrap();
        scenario.users[0].username = "o'neil@acme.example".into();
        scenario.deploy(Path::new(folder.path())).unwrap_or_else(|error| panic!("{error}"));
    }
}
