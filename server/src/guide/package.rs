//! The same app as files: a source-format project for `sf project deploy start`.
//!
//! [`AppPackage::files`] is pure; [`write()`] puts the files into a folder. Nothing in them is secret: the org makes up key
//! and secret when it creates the app, and a certificate is public.
//!
//! Sources: Metadata API developer guide v66, "ExternalClientApplication", "ExtlClntAppGlobalOauthSettings",
//! "ExtlClntAppOauthSettings", "ExtlClntAppOauthConfigurablePolicies", "ExtlClntAppConfigurablePolicies" and
//! "PermissionSet"; folders and suffixes by the metadata registry of the Salesforce CLI.

mod app;
mod certificate;
mod permission_set;
mod readme;
mod writing;
mod xml;

use std::path::PathBuf;

use salesforce::{host::OrgUrl, oauth::Flow};
use serde_json::json;

use super::{
    access::Access,
    names::{self, Refused, check},
};
pub use certificate::Certificate;
pub use writing::{write, write_one};
use xml::Element;

/// The version of the Metadata API that the files are written for. Source: the WSDL whose fields are used.
const API_VERSION: &str = "66.0";
const SOURCE: &str = "force-app/main/default";

/// An app to be written.
#[derive(Debug, Clone)]
pub struct AppPackage {
    label: String,
    contact_email: String,
    callback_urls: Vec<String>,
    sign_in: SignIn,
    access: Access,
    org: Option<OrgUrl>,
    connection: String,
}

/// How the app signs in.
#[derive(Debug, Clone)]
enum SignIn {
    WebServer { public: bool },
    Device { public: bool },
    ClientCredentials { run_as: Option<String> },
    JwtBearer { certificate: Certificate, user: Option<String> },
}

/// What a package is made of, as it was given.
#[derive(Debug, Clone)]
pub struct PackageRequest {
    pub flow: Flow,
    pub public_client: bool,
    /// As people see the app.
    pub name: String,
    pub contact_email: String,
    /// At least one.
    pub callback_urls: Vec<String>,
    /// Whom the integration runs as.
    pub integration_user: Option<String>,
    /// For the certificate flow.
    pub certificate: Option<Certificate>,
    pub access: Access,
    pub org: Option<OrgUrl>,
    /// What the connection is going to be called.
    pub connection: Option<String>,
}

/// Why no package is written.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("an External Client App has no flow {flow}")]
    Flow { flow: Flow },
    #[error("a public client has no use for the flow {flow}: it lives from its secret or its key")]
    Public { flow: Flow },
    #[error("the flow jwt-bearer needs a certificate")]
    NoCertificate,
    #[error("{} cannot be used as the app's certificate: {reason}", path.display())]
    Certificate { path: PathBuf, reason: String },
    #[error("{} of the files are there already, {} among them", there.len(), there.first().map(|path| path.display().to_string()).unwrap_or_default())]
    Exists { there: Vec<PathBuf> },
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
}

impl PackageError {
    /// What a person does about it; `None` when the message says it already.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Refused(_) | Self::Public { .. } | Self::Unwritable { .. } => None,
            Self::Flow { .. } => Some("choose client-credentials, web-server, device or jwt-bearer"),
            Self::NoCertificate => {
                Some("make one with `orgtide certificate NAME --output FILE`, and give that file with --certificate")
            }
            Self::Certificate { .. } => Some("give an RSA certificate of at least 2048 bits as PEM, of at most 4 KB"),
            Self::Exists { .. } => Some("name another folder, or let them be overwritten with --force"),
        }
    }
}

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFile {
    /// Below the project's folder, with `/`.
    pub path: String,
    pub text: String,
}

impl AppPackage {
    /// Checks everything that the platform would refuse.
    ///
    /// # Errors
    /// The first thing that cannot be.
    pub fn new(request: PackageRequest) -> Result<Self, PackageError> {
        check("name of an app", &request.name, names::check_label)?;
        check("contact e-mail address", &request.contact_email, names::check_email)?;
        names::check_callbacks(&request.callback_urls)?;
        if let Some(user) = &request.integration_user {
            check("integration user", user, names::check_username)?;
        }
        for object in &request.access.objects {
            check("name of an object", &object.object, names::check_api_name)?;
        }
        for field in &request.access.fields {
            check("name of a field", field, names::check_api_name)?;
        }
        let connection = request.connection.unwrap_or_else(|| names::alias(request.org.as_ref()));
        Ok(Self {
            sign_in: SignIn::of(request.flow, request.public_client, request.integration_user, request.certificate)?,
            label: request.name,
            contact_email: request.contact_email,
            callback_urls: request.callback_urls,
            access: request.access,
            org: request.org,
            connection,
        })
    }

    /// The app's API name.
    pub fn api_name(&self) -> String {
        names::api_name(&self.label)
    }

    /// The API name of the permission set.
    pub fn permission_set(&self) -> String {
        format!("{}_Read", self.api_name())
    }

    /// Every file, in the order of the paths.
    pub fn files(&self) -> Vec<PackageFile> {
        let components = self.components();
        let mut files: Vec<PackageFile> = components.iter().map(Component::file).collect();
        files.push(PackageFile { path: "manifest/package.xml".into(), text: manifest(&components) });
        files.push(PackageFile { path: "sfdx-project.json".into(), text: self.project() });
        files.push(PackageFile { path: "README.md".into(), text: readme::readme(self) });
        files.sort_by(|one, other| one.path.cmp(&other.path));
        files
    }

    fn components(&self) -> Vec<Component> {
        let mut components = app::components(self);
        components.push(permission_set::component(self));
        components
    }

    fn project(&self) -> String {
        let login = self.org.as_ref().map_or_else(|| "https://login.salesforce.com".to_owned(), ToString::to_string);
        let project = json!({
            "name": self.api_name(),
            "namespace": "",
            "packageDirectories": [{ "default": true, "path": "force-app" }],
            "sfdcLoginUrl": login,
            "sourceApiVersion": API_VERSION,
        });
        format!("{project:#}\n")
    }
}

impl SignIn {
    fn of(
        flow: Flow,
        public: bool,
        user: Option<String>,
        certificate: Option<Certificate>,
    ) -> Result<Self, PackageError> {
        if public && !matches!(flow, Flow::WebServer | Flow::Device) {
            return Err(PackageError::Public { flow });
        }
        match flow {
            Flow::WebServer => Ok(Self::WebServer { public }),
            Flow::Device => Ok(Self::Device { public }),
            Flow::ClientCredentials => Ok(Self::ClientCredentials { run_as: user }),
            Flow::JwtBearer => {
                let certificate = certificate.ok_or(PackageError::NoCertificate)?;
                Ok(Self::JwtBearer { certificate, user })
            }
            Flow::Password | Flow::SoapLogin | Flow::RefreshToken => Err(PackageError::Flow { flow }),
        }
    }

    fn flow(&self) -> Flow {
        match self {
            Self::WebServer { .. } => Flow::WebServer,
            Self::Device { .. } => Flow::Device,
            Self::ClientCredentials { .. } => Flow::ClientCredentials,
            Self::JwtBearer { .. } => Flow::JwtBearer,
        }
    }

    fn is_public(&self) -> bool {
        matches!(self, Self::WebServer { public: true } | Self::Device { public: true })
    }
}

/// A component of the package: one file.
struct Component {
    folder: &'static str,
    /// With its dot.
    suffix: &'static str,
    /// The file's base name, which is the component's name.
    name: String,
    /// Its root element is named as the metadata type.
    root: Element,
}

impl Component {
    fn file(&self) -> PackageFile {
        let Self { folder, suffix, name, root } = self;
        PackageFile { path: format!("{SOURCE}/{folder}/{name}{suffix}-meta.xml"), text: root.document() }
    }
}

/// What is in the package, for those who deploy or retrieve by manifest.
fn manifest(components: &[Component]) -> String {
    let mut types: Vec<(&'static str, &str)> =
        components.iter().map(|component| (component.root.name(), component.name.as_str())).collect();
    types.sort_unstable();
    let types =
        types.into_iter().map(|(name, member)| Element::new("types").text("members", member).text("name", name));
    types.fold(Element::new("Package"), Element::child).text("version", API_VERSION).document()
}
