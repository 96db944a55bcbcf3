//! An account: where to log in, as whom, for what, and whom to trust.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::files::{CloudsError, Selection};
use super::merge::{flag, text};
use crate::config::{Secret, TlsConfig};

/// What osel needs to know to ask a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// The name that it has in its file.
    pub name: String,
    /// Keystone, with `/v3` at its end.
    pub auth_url: String,
    /// As whom.
    pub login: Login,
    /// For what; an application credential has its own.
    pub scope: Scope,
    /// The region in the catalog; any when none is said.
    pub region_name: Option<String>,
    /// Which of a service's addresses.
    pub interface: Interface,
    /// Addresses of services that are not the catalog's, by the service's type with underscores: `network`, `load_balancer`.
    pub endpoints: BTreeMap<String, String>,
    /// Authorities and own certificate.
    pub tls: TlsConfig,
    /// Whether certificates are verified.
    pub verify: bool,
    /// How long an answer may take, where the account says so.
    pub timeout: Option<Duration>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

/// A way to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// User and password.
    Password {
        /// The user.
        user: User,
        /// The password.
        password: Secret,
    },
    /// A credential that a user made for a program, for one project.
    ApplicationCredential {
        /// Which one.
        credential: ApplicationCredential,
        /// Its secret.
        secret: Secret,
    },
    /// A token that somebody else got; it cannot be renewed beyond its end.
    Token(Secret),
}

impl Login {
    /// What proves who logs in, to be shown to Keystone alone.
    pub(crate) fn secret(&self) -> &str {
        match self {
            Self::Password { password: secret, .. }
            | Self::ApplicationCredential { secret, .. }
            | Self::Token(secret) => secret.expose(),
        }
    }
}

/// Which application credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplicationCredential {
    /// By its id.
    Id(String),
    /// By its name, which only its user makes unique.
    Name(String, User),
}

/// A user or a project, by id, or by name within a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Its id.
    Id(String),
    /// Its name, and its domain's.
    Name {
        /// Its own.
        name: String,
        /// The domain: its id, or else its name.
        domain: Domain,
    },
}

/// Who logs in.
pub type User = Holder;

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Its id.
    Id(String),
    /// Its name.
    Name(String),
}

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A project: the only one with which Neutron shows anything.
    Project(Holder),
    /// A domain.
    Domain(Domain),
    /// The whole system.
    System,
    /// A trust.
    Trust(String),
    /// Whatever Keystone gives: the user's default project, or nothing.
    Unsaid,
}

/// Which of a service's addresses in the catalog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interface {
    /// For everybody.
    #[default]
    Public,
    /// For services.
    Internal,
    /// For administrators.
    Admin,
}

impl Interface {
    /// The catalog's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Admin => "admin",
        }
    }

    /// Reads it, with or without `URL` at its end, as some clients write it.
    pub fn parse(text: &str) -> Option<Self> {
        let word = text.strip_suffix("URL").unwrap_or(text);
        [Self::Public, Self::Internal, Self::Admin].into_iter().find(|interface| interface.as_str() == word)
    }
}

/// What a cloud's keys mean.
pub(super) fn meaning(
    selection: &Selection,
    name: String,
    table: &Map<String, Value>,
    files: Vec<PathBuf>,
) -> Result<Cloud, CloudsError> {
    let nothing = Map::new();
    let auth = table.get("auth").and_then(Value::as_object).unwrap_or(&nothing);
    let account = Account { cloud: &name, auth };
    let auth_url = versioned(&account.needed("auth_url", "`auth_url`")?);
    let (login, scope) = account.login(text(table, "auth_type"))?;
    let interface = match text(table, "interface") {
        None => Interface::default(),
        Some(word) => Interface::parse(&word).ok_or_else(|| CloudsError::Value {
            cloud: name.clone(),
            key: "interface",
            value: word,
            wanted: "public, internal or admin",
        })?,
    };
    let path = |key| text(table, key).map(|path| selection.expanded(&path));
    let endpoints = table
        .keys()
        .filter_map(|key| Some((key.strip_suffix("_endpoint_override")?.to_owned(), text(table, key)?)));
    let timeout = text(table, "api_timeout").and_then(|seconds| seconds.parse().ok());
    Ok(Cloud {
        auth_url,
        login,
        scope,
        region_name: text(table, "region_name"),
        interface,
        endpoints: endpoints.collect(),
        tls: TlsConfig {
            ca_file: path("cacert"),
            cert_file: path("cert"),
            // A file of both is named once.
            key_file: path("key").or_else(|| path("cert")),
            ..TlsConfig::default()
        },
        verify: flag(table, "verify", true) && !flag(table, "insecure", false),
        timeout: timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        files,
        name,
    })
}

/// Keystone's third version, wherever the URL leads: the second is gone from every release that is alive.
fn versioned(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let root = ["/v3", "/v2.0"].iter().find_map(|version| url.strip_suffix(version)).unwrap_or(url);
    format!("{}/v3", root.trim_end_matches('/'))
}

struct Account<'a> {
    cloud: &'a str,
    auth: &'a Map<String, Value>,
}

impl Account<'_> {
    fn get(&self, key: &str) -> Option<String> {
        text(self.auth, key)
    }

    fn needed(&self, key: &str, what: &'static str) -> Result<String, CloudsError> {
        self.get(key).ok_or_else(|| CloudsError::Lacks { cloud: self.cloud.to_owned(), what })
    }

    fn secret(&self, key: &str, what: &'static str) -> Result<Secret, CloudsError> {
        self.needed(key, what).map(Secret::new)
    }

    fn login(&self, auth_type: Option<String>) -> Result<(Login, Scope), CloudsError> {
        let auth_type = auth_type.unwrap_or_default();
        match auth_type.as_str() {
            "v3applicationcredential" => self.application_credential(),
            // Nobody names the way in the variables that a dashboard hands out; what is there says it.
            "password" | "v3password" => {
                let is_credential = self.get("application_credential_secret").is_some();
                if is_credential && self.get("password").is_none() {
                    return self.application_credential();
                }
                let password = self.secret("password", "`password`")?;
                Ok((Login::Password { user: self.user()?, password }, self.scope()))
            }
            "token" | "v3token" => Ok((Login::Token(self.secret("token", "`token`")?), self.scope())),
            _ => Err(CloudsError::Login { cloud: self.cloud.to_owned(), auth_type }),
        }
    }

    /// Its project is fixed, and asking for another scope is refused.
    fn application_credential(&self) -> Result<(Login, Scope), CloudsError> {
        let credential = match self.get("application_credential_id") {
            Some(id) => ApplicationCredential::Id(id),
            None => {
                let what = "`application_credential_id`, or `application_credential_name` and its user";
                ApplicationCredential::Name(self.needed("application_credential_name", what)?, self.user()?)
            }
        };
        let secret = self.secret("application_credential_secret", "`application_credential_secret`")?;
        Ok((Login::ApplicationCredential { credential, secret }, Scope::Unsaid))
    }

    fn user(&self) -> Result<User, CloudsError> {
        if let Some(id) = self.get("user_id") {
            return Ok(Holder::Id(id));
        }
        let name = self.needed("username", "`username` or `user_id`")?;
        let domain = self.domain("user").ok_or_else(|| CloudsError::Lacks {
            cloud: self.cloud.to_owned(),
            what: "`user_domain_name` or `user_domain_id`, which a user's name needs",
        })?;
        Ok(Holder::Name { name, domain })
    }

    fn domain(&self, whose: &str) -> Option<Domain> {
        let of = |whose: &str| {
            let name = || self.get(&format!("{whose}domain_name")).map(Domain::Name);
            self.get(&format!("{whose}domain_id")).map(Domain::Id).or_else(name)
        };
        let own = if whose.is_empty() { String::new() } else { format!("{whose}_") };
        of(&own).or_else(|| of("default_"))
    }

    fn scope(&self) -> Scope {
        if let Some(id) = self.get("project_id") {
            return Scope::Project(Holder::Id(id));
        }
        if let (Some(name), Some(domain)) = (self.get("project_name"), self.domain("project")) {
            return Scope::Project(Holder::Name { name, domain });
        }
        if let Some(trust) = self.get("trust_id") {
            return Scope::Trust(trust);
        }
        if self.get("system_scope").is_some() {
            return Scope::System;
        }
        let domain_name = || self.get("domain_name").map(Domain::Name);
        let domain = self.get("domain_id").map(Domain::Id).or_else(domain_name);
        domain.map_or(Scope::Unsaid, Scope::Domain)
    }
}
