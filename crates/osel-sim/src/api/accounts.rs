//! Who may ask the emulated services, and for what.

/// A user who can authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user's id.
    pub id: String,
    /// The user's name, in the domain `default`.
    pub name: String,
    /// The password.
    pub password: String,
    /// Whether authentication is possible and tokens are valid.
    pub is_enabled: bool,
    /// Which roles it has where.
    pub grants: Vec<Grant>,
    /// Its application credentials.
    pub credentials: Vec<Credential>,
}

/// A role in a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Where.
    pub scope: Scope,
    /// The role's name.
    pub role: String,
}

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nothing.
    Unscoped,
    /// The project of that id.
    Project(String),
    /// The domain of that id.
    Domain(String),
    /// The whole cloud, for Keystone only.
    System,
}

/// An application credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its id.
    pub id: String,
    /// Its name, among those of its user.
    pub name: String,
    /// The secret.
    pub secret: String,
    /// The project that it is for.
    pub project: String,
}

impl Account {
    /// The project of [`Self::admin`].
    pub const ADMIN_PROJECT: &str = "ad0000000000000000000000000000ad";
    /// The project of [`Self::reader`].
    pub const READER_PROJECT: &str = "0e0000000000000000000000000000e0";

    /// The administrator: `admin` with the password `admin-secret` and the role `admin` on the project `admin`; its application
    /// credential `osel` has the id `c0ffee00c0ffee00c0ffee00c0ffee00` and the secret `credential-secret`.
    pub fn admin() -> Self {
        Self {
            id: "ad1111111111111111111111111111ad".to_owned(),
            name: "admin".to_owned(),
            password: "admin-secret".to_owned(),
            is_enabled: true,
            grants: vec![Grant::new(Scope::Project(Self::ADMIN_PROJECT.to_owned()), "admin")],
            credentials: vec![Credential {
                id: "c0ffee00c0ffee00c0ffee00c0ffee00".to_owned(),
                name: "osel".to_owned(),
                secret: "credential-secret".to_owned(),
                project: Self::ADMIN_PROJECT.to_owned(),
            }],
        }
    }

    /// The reader with the least rights that see all: `osel` with the password `osel-secret`, the role `reader` on the system and the
    /// role `auditor` on the project `monitoring`; Neutron shows everything to an auditor.
    pub fn reader() -> Self {
        Self {
            id: "0e1111111111111111111111111111e0".to_owned(),
            name: "osel".to_owned(),
            password: "osel-secret".to_owned(),
            is_enabled: true,
            grants: vec![
                Grant::new(Scope::System, "reader"),
                Grant::new(Scope::Project(Self::READER_PROJECT.to_owned()), "auditor"),
            ],
            credentials: Vec::new(),
        }
    }

    /// The roles in a scope, with those that they imply.
    pub(super) fn roles(&self, scope: &Scope) -> Vec<String> {
        const CHAIN: [&str; 4] = ["admin", "manager", "member", "reader"];
        let mut roles: Vec<String> = Vec::new();
        for grant in self.grants.iter().filter(|grant| grant.scope == *scope) {
            let implied = CHAIN.iter().skip_while(|role| **role != grant.role).map(|role| (*role).to_owned());
            for role in std::iter::once(grant.role.clone()).chain(implied) {
                if !roles.contains(&role) {
                    roles.push(role);
                }
            }
        }
        roles
    }
}

impl Grant {
    /// A role in a scope.
    pub fn new(scope: Scope, role: &str) -> Self {
        Self { scope, role: role.to_owned() }
    }
}

/// Names of projects that the accounts here are for; others are called by their id.
pub(super) fn project_name(id: &str) -> &str {
    match id {
        Account::ADMIN_PROJECT => "admin",
        Account::READER_PROJECT => "monitoring",
        id => id,
    }
}
