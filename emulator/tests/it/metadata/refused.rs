//! What a deployment refuses, file by file: one wrong thing, one message with its place.

use super::{
    APP_POLICIES, CONNECTED_APP, Folder, GLOBAL, HEADER, OAUTH, OAUTH_POLICIES, PERMISSION_SET, external_client_app,
    fixtures, org, org_that_creates_connected_apps, problems, settings,
};

/// A file, the text in it that is replaced and by what, and what the deployment says of the file.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// Every case is deployed by itself; the others' files are right.
fn refuse(of: &str, cases: &[Case]) {
    let mut differences = Vec::new();
    for (file, find, put, expected) in cases {
        let folder = Folder::copy(&fixtures().join(of));
        folder.replace(file, find, put);
        let error = org_that_creates_connected_apps().deploy(folder.path()).expect_err(put);
        let expected: Vec<String> = expected.iter().map(|message| format!("{file}:{message}")).collect();
        if problems(&error) != expected {
            differences.push(format!("{put}:\n     {:?}\n not {expected:?}", problems(&error)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

const ECA: &str = "external-client-app/force-app/main/default";

#[test]
fn elements_that_a_type_does_not_have_or_has_once() {
    refuse(
        ECA,
        &[
            (
                OAUTH,
                "<label>",
                "<foo>1</foo><label>",
                &[
                    "6:5: Error parsing file: Element {http://soap.sforce.com/2006/04/metadata}foo invalid at this location in \
                 type ExtlClntAppOauthSettings",
                ],
            ),
            (
                OAUTH,
                "commaSeparatedOauthScopes>",
                "scopes>",
                &["3:30: Error parsing file: expected 'scopes' tag, not 'commaSeparatedOauthScopes'"],
            ),
            (
                HEADER,
                "<label>",
                "<label xmlns=\"\">",
                &[
                    "7:5: Error parsing file: Element {}label invalid at this location in type ExternalClientApplication",
                ],
            ),
            (
                HEADER,
                "<isProtected>",
                "<label>Twice</label><isProtected>",
                &[
                    "7:5: Error parsing file: Element label is duplicated at this location in type ExternalClientApplication",
                ],
            ),
            (
                PERMISSION_SET,
                "<label>",
                "<userPermissions><enabled>true</enabled><name>ViewSetup</name></userPermissions><label>",
                &[
                    "21:5: Error parsing file: Element userPermissions is duplicated at this location in type PermissionSet",
                ],
            ),
            (
                PERMISSION_SET,
                "<editable>",
                "<read>1</read><editable>",
                &[
                    "5:9: Error parsing file: Element {http://soap.sforce.com/2006/04/metadata}read invalid at this location in \
                 type PermissionSetFieldPermissions",
                ],
            ),
        ],
    );
}

#[test]
fn values_of_another_type() {
    refuse(
        ECA,
        &[
            (HEADER, ">Local<", ">local<", &["5:5: 'local' is not a valid value for the enum 'ExtlClntAppDistState'"]),
            (
                GLOBAL,
                "<isPkceRequired>true",
                "<isPkceRequired>yes",
                &["12:5: 'yes' is not a valid value for the type xsd:boolean"],
            ),
            (
                GLOBAL,
                "<isPkceRequired>true",
                "<isPkceRequired>",
                &["12:5: '' is not a valid value for the type xsd:boolean"],
            ),
            (
                GLOBAL,
                "<label>",
                "<label><b/>",
                &[
                    "17:12: Error parsing file: Unexpected element {http://soap.sforce.com/2006/04/metadata}b during simple \
                 type deserialization",
                ],
            ),
            (OAUTH_POLICIES, ">30<", ">a month<", &["13:5: 'a month' is not a valid value for the type xsd:int"]),
            (OAUTH_POLICIES, ">30<", ">0<", &["13:5: Invalid refresh token validity: 0 Days"]),
            (
                OAUTH_POLICIES,
                ">Days<",
                ">Weeks<",
                &["14:5: 'Weeks' is not a valid value for the enum 'RefreshTokenValidityUnit'"],
            ),
            (
                OAUTH_POLICIES,
                "<permittedUsersPolicyType>",
                "<namedUserJwtTimeout>7</namedUserJwtTimeout><permittedUsersPolicyType>",
                &["11:5: namedUserJwtTimeout: 7 minutes are not allowed"],
            ),
            (
                OAUTH_POLICIES,
                "AdminApprovedPreAuthorized",
                "AdminApproved",
                &["11:5: 'AdminApproved' is not a valid value for the enum 'PermittedUsersPolicyType'"],
            ),
            (
                OAUTH,
                "Api, RefreshToken",
                "api, RefreshToken",
                &["3:5: 'api' is not a valid value for the enum 'ConnectedAppOauthAccessScope'"],
            ),
            (
                OAUTH,
                "<label>",
                "<oauthLink>00Dbm000004ELiD:888bm000002gH3J</oauthLink><label>",
                &["6:5: Invalid OAuth link: 00Dbm000004ELiD:888bm000002gH3J"],
            ),
            (
                OAUTH,
                "<label>",
                "<trustedIpRanges><endIpAddress>10.0.0.1</endIpAddress><startIpAddress>10.0.0.9\
             </startIpAddress></trustedIpRanges><label>",
                &["6:5: Invalid IP range: 10.0.0.9 - 10.0.0.1"],
            ),
        ],
    );
}

#[test]
fn required_elements_that_are_missing() {
    const OWNER: &str = "<externalClientApplication>Acme_Sync</externalClientApplication>";
    refuse(
        ECA,
        &[
            (OAUTH, OWNER, "", &["2:1: Required field is missing: externalClientApplication"]),
            (
                OAUTH,
                OWNER,
                "<externalClientApplication/>",
                &["4:5: Required field is missing: externalClientApplication"],
            ),
            (APP_POLICIES, "<isEnabled>true</isEnabled>", "", &["2:1: Required field is missing: isEnabled"]),
            (
                GLOBAL,
                "<callbackUrl>https://sync.example.com/oauth/callback</callbackUrl>",
                "",
                &["2:1: Required field is missing: callbackUrl"],
            ),
            (
                OAUTH_POLICIES,
                "<refreshTokenValidityUnit>Days</refreshTokenValidityUnit>",
                "",
                &["2:1: Required field is missing: refreshTokenValidityUnit"],
            ),
            (PERMISSION_SET, "<label>Acme Sync Read</label>", "", &["2:1: Required field is missing: label"]),
            (
                PERMISSION_SET,
                "<viewAllRecords>true</viewAllRecords>",
                "",
                &["11:5: Required field is missing: viewAllRecords"],
            ),
        ],
    );
}

#[test]
fn names_that_point_at_nothing() {
    refuse(
        ECA,
        &[
            (
                APP_POLICIES,
                ">Acme_Sync<",
                ">Acme<",
                &["3:5: In field: externalClientApplication - no ExternalClientApplication named Acme found"],
            ),
            (
                OAUTH_POLICIES,
                ">Acme_Sync_Read<",
                ">Acme_Sync_Read, Absent<",
                &["4:5: In field: commaSeparatedPermissionSet - no PermissionSet named Absent found"],
            ),
            (
                OAUTH_POLICIES,
                "<externalClientApplication>",
                "<commaSeparatedProfile>Absent</commaSeparatedProfile>\
             <externalClientApplication>",
                &["5:5: In field: commaSeparatedProfile - no Profile named Absent found"],
            ),
            (
                OAUTH_POLICIES,
                "sync.bot@",
                "nobody@",
                &["3:5: Enter a valid execution user for the OAuth client credentials flow."],
            ),
            (
                OAUTH_POLICIES,
                "sync.bot@",
                "gone@",
                &["3:5: Enter a valid execution user for the OAuth client credentials flow."],
            ),
            (
                PERMISSION_SET,
                "<object>Account",
                "<object>Absent__c",
                &["17:9: In field: object - no CustomObject named Absent__c found"],
            ),
            (
                PERMISSION_SET,
                "Account.Industry",
                "Account.Absent__c",
                &["6:9: In field: field - no CustomField named Account.Absent__c found"],
            ),
        ],
    );
}

#[test]
fn keys_callbacks_and_certificates_that_cannot_be() {
    let long = format!("https://sync.example.com/{}", "a".repeat(2000));
    let long: &'static str = Box::leak(long.into_boxed_str());
    const CALLBACK: &str = "https://sync.example.com/oauth/callback";
    const OWNER: &str = "<externalClientApplication>";
    refuse(
        ECA,
        &[
            (
                GLOBAL,
                CALLBACK,
                "http://sync.example.com/callback",
                &["3:5: Callback URL: http://sync.example.com/callback must use https"],
            ),
            (GLOBAL, CALLBACK, "https://one.example\n  nonsense", &["3:5: Callback URL: nonsense is not a valid URL"]),
            (GLOBAL, CALLBACK, long, &["3:5: Callback URL: data value too large (max length=2000)"]),
            (
                GLOBAL,
                OWNER,
                "<consumerKey>seven77</consumerKey><externalClientApplication>",
                &["4:5: The consumer key must be 8 to 256 alphanumeric characters long"],
            ),
            (
                GLOBAL,
                OWNER,
                "<consumerKey>with a blank</consumerKey><externalClientApplication>",
                &["4:5: The consumer key must be 8 to 256 alphanumeric characters long"],
            ),
            (
                GLOBAL,
                OWNER,
                "<certificate>MIID</certificate><externalClientApplication>",
                &["4:5: The certificate is not valid: it is not a certificate in PEM form"],
            ),
            (
                GLOBAL,
                "<shouldRotateConsumerKey>false",
                "<shouldRotateConsumerKey>true",
                &["18:5: Rotating the consumer key needs a deployment that ignores warnings"],
            ),
        ],
    );
}

#[test]
fn permissions_that_no_permission_set_can_give() {
    refuse(
        ECA,
        &[
            (
                PERMISSION_SET,
                "Account.Industry",
                "Account.Name",
                &["6:9: You cannot deploy to a required field: Account.Name"],
            ),
            (
                PERMISSION_SET,
                "Account.Industry",
                "Account.Id",
                &["6:9: You cannot deploy to a required field: Account.Id"],
            ),
            (
                PERMISSION_SET,
                "Account.Industry",
                "Contact.LastModifiedDate",
                &["6:9: You cannot deploy to a required field: Contact.LastModifiedDate"],
            ),
            (PERMISSION_SET, "<name>ApiEnabled", "<name>ApiOnlyUser", &["23:9: Unknown user permission: ApiOnlyUser"]),
            (
                PERMISSION_SET,
                "<allowRead>true",
                "<allowRead>false",
                &["19:9: Permission View All Account depends on permission(s): Read Account"],
            ),
            (
                PERMISSION_SET,
                "<allowDelete>false",
                "<allowDelete>true",
                &["13:9: Permission Delete Account depends on permission(s): Edit Account"],
            ),
        ],
    );
}

#[test]
fn mistakes_in_a_connected_app() {
    refuse(
        "connected-app",
        &[
            (
                CONNECTED_APP,
                "<scopes>Api<",
                "<scopes>api<",
                &["14:9: 'api' is not a valid value for the enum 'ConnectedAppOauthAccessScope'"],
            ),
            (
                CONNECTED_APP,
                "ENFORCE",
                "Enforce",
                &["18:9: 'Enforce' is not a valid value for the enum 'ConnectedAppIpRelaxation'"],
            ),
            (
                CONNECTED_APP,
                "specific_inactivity:30:DAYS",
                "specific_inactivity:DAYS",
                &["19:9: Invalid refresh token policy: specific_inactivity:DAYS"],
            ),
            (
                CONNECTED_APP,
                "<contactEmail>admin@example.com</contactEmail>",
                "",
                &["2:1: Required field is missing: contactEmail"],
            ),
            (
                CONNECTED_APP,
                "sync.bot@",
                "nobody@",
                &["13:9: Enter a valid execution user for the OAuth client credentials flow."],
            ),
            (
                CONNECTED_APP,
                "Acme_Sync_Read",
                "Absent",
                &["21:5: In field: permissionSetName - no PermissionSet named Absent found"],
            ),
            (
                CONNECTED_APP,
                "<isAdminApproved>",
                "<isDeviceFlowEnabled>true</isDeviceFlowEnabled><isAdminApproved>",
                &[
                    "7:9: Error parsing file: Element {http://soap.sforce.com/2006/04/metadata}isDeviceFlowEnabled invalid at \
                 this location in type ConnectedAppOauthConfig",
                ],
            ),
        ],
    );
}

#[test]
fn a_connected_app_is_not_created_where_salesforce_has_switched_that_off() {
    let error = org().deploy(&fixtures().join("connected-app")).unwrap_err();
    let message = "You can't create a connected app. To enable connected app creation, contact Salesforce Customer \
                   Support.";
    assert_eq!(problems(&error), [format!("{CONNECTED_APP}:2:1: {message}")]);
}

#[test]
fn a_file_with_another_root_or_namespace_or_that_is_no_xml() {
    const EXPECTED: &str = "{http://soap.sforce.com/2006/04/metadata}ExternalClientApplication";
    let cases = [
        (
            "<?xml version=\"1.0\"?>\n<ConnectedApp xmlns=\"http://soap.sforce.com/2006/04/metadata\"/>",
            format!(
                "2:1: Error parsing file: Unexpected element {{http://soap.sforce.com/2006/04/metadata}}ConnectedApp, \
                     expected {EXPECTED}"
            ),
        ),
        (
            "<ExternalClientApplication/>",
            format!("1:1: Error parsing file: Unexpected element {{}}ExternalClientApplication, expected {EXPECTED}"),
        ),
        ("<ExternalClientApplication>", "1:1: Error parsing file: the root node was opened but never closed".into()),
        ("", "1:1: Error parsing file: the document does not have a root node".into()),
    ];
    for (text, expected) in cases {
        let folder = Folder::copy(&external_client_app());
        folder.write(HEADER, text);
        let error = org().deploy(folder.path()).unwrap_err();
        assert_eq!(problems(&error), [format!("{HEADER}:{expected}")], "{text}");
    }
}

#[test]
fn files_that_are_missing() {
    const NO_APP: &str = "In field: externalClientApplication - no ExternalClientApplication named Acme_Sync found";
    let missing = |name: &str| format!("The external client app Acme_Sync has no {name}");
    let cases: [(&str, Vec<String>); 4] = [
        (
            HEADER,
            vec![
                format!("{GLOBAL}:4:5: {NO_APP}"),
                format!("{OAUTH_POLICIES}:5:5: {NO_APP}"),
                format!("{OAUTH}:4:5: {NO_APP}"),
                format!("{APP_POLICIES}:3:5: {NO_APP}"),
            ],
        ),
        (GLOBAL, vec![format!("{OAUTH}:4:5: {}", missing("ExtlClntAppGlobalOauthSettings"))]),
        (OAUTH, vec![format!("{GLOBAL}:4:5: {}", missing("ExtlClntAppOauthSettings"))]),
        (
            PERMISSION_SET,
            vec![format!(
                "{OAUTH_POLICIES}:4:5: In field: commaSeparatedPermissionSet - no PermissionSet named Acme_Sync_Read found"
            )],
        ),
    ];
    for (file, expected) in cases {
        let folder = Folder::copy(&external_client_app());
        folder.remove(file);
        let error = org().deploy(folder.path()).unwrap_err();
        assert_eq!(problems(&error), expected, "without {file}");
    }
}

#[test]
fn files_with_the_wrong_name_or_in_the_wrong_folder() {
    let cases = [
        (
            format!("externalClientApps/{}", &OAUTH["extlClntAppOauthSettings/".len()..]),
            "Could not infer a metadata type. Files in externalClientApps end in .eca-meta.xml",
        ),
        (
            "extlClntAppOauthSettings/Acme_Sync.ecaOauth".to_owned(),
            "Could not infer a metadata type. Files in extlClntAppOauthSettings end in .ecaOauth-meta.xml",
        ),
        (
            "extlClntAppOauth/Acme_Sync.ecaOauth-meta.xml".to_owned(),
            "Could not infer a metadata type. Files that end in .ecaOauth-meta.xml belong into extlClntAppOauthSettings",
        ),
    ];
    for (name, expected) in cases {
        let folder = Folder::copy(&external_client_app());
        folder.rename(OAUTH, &name);
        let problems = problems(&org().deploy(folder.path()).unwrap_err());
        assert!(problems.contains(&format!("{name}: {expected}")), "{problems:?}");
    }
}

#[test]
fn two_files_for_one_thing() {
    let folder = Folder::copy(&external_client_app());
    folder.write(&format!("more/{HEADER}"), &std::fs::read_to_string(folder.path().join(HEADER)).unwrap());
    let other = "extlClntAppPolicies/Acme_Sync_other.ecaPlcy-meta.xml";
    folder.write(other, &std::fs::read_to_string(folder.path().join(APP_POLICIES)).unwrap());
    assert_eq!(
        problems(&org().deploy(folder.path()).unwrap_err()),
        [
            format!("{APP_POLICIES}:3:5: The external client app Acme_Sync has another file of this type"),
            format!("more/{HEADER}: Acme_Sync is also defined in {HEADER}"),
        ]
    );
}

#[test]
fn a_consumer_key_that_changes_or_belongs_to_another_app() {
    let folder = Folder::copy(&external_client_app());
    let owner = "<externalClientApplication>";
    folder.replace(GLOBAL, owner, "<consumerKey>Chosen12345</consumerKey><externalClientApplication>");
    let mut org = org();
    org.deploy(folder.path()).unwrap();
    assert_eq!(org.apps[0].consumer_key, "Chosen12345");
    org.deploy(folder.path()).unwrap();
    folder.replace(GLOBAL, "Chosen12345", "Another12345");
    assert_eq!(
        problems(&org.deploy(folder.path()).unwrap_err()),
        [format!("{GLOBAL}:4:5: The consumer key can't be changed")]
    );
    org.apps[0].name = "Renamed".into();
    folder.replace(GLOBAL, "Another12345", "Chosen12345");
    assert_eq!(
        problems(&org.deploy(folder.path()).unwrap_err()),
        [format!("{GLOBAL}:4:5: The consumer key is already taken")]
    );
}

#[test]
fn mistakes_in_settings_of_the_org() {
    let folder = tempfile::tempdir().unwrap();
    let file = "settings/OauthOidc.settings-meta.xml";
    std::fs::create_dir(folder.path().join("settings")).unwrap();
    std::fs::write(folder.path().join(file), settings("<isPkceRequired>always</isPkceRequired><pkce>1</pkce>"))
        .unwrap();
    assert_eq!(
        problems(&org().deploy(folder.path()).unwrap_err()),
        [
            format!("{file}:1:68: 'always' is not a valid value for the type xsd:boolean"),
            format!(
                "{file}:1:107: Error parsing file: Element {{http://soap.sforce.com/2006/04/metadata}}pkce invalid at \
                 this location in type OauthOidcSettings"
            ),
        ]
    );
}
