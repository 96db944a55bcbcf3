//! Tokens that were given out.

use std::collections::BTreeMap;
use std::time::SystemTime;

use osel_core::time::Timestamp;
use serde_json::{Value, json};

use super::accounts::{Account, Scope};
use super::options::Options;
use crate::random::Random;

/// More tokens than this are not kept: the oldest is forgotten. No test needs that many at once.
const TOKENS_MAX: usize = 10_000;
/// Characters of a Fernet token for a project.
const TOKEN_CHARACTERS: usize = 183;

/// What a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// The user's id.
    pub(super) user: String,
    pub(super) methods: Vec<&'static str>,
    pub(super) scope: Scope,
    pub(super) roles: Vec<String>,
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
    /// Its own, and that of the token by which it was got.
    pub(super) audit_ids: Vec<String>,
    /// The application credential by which it was got.
    pub(super) credential: Option<String>,
}

impl Token {
    pub(super) fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|known| known == role)
    }
}

/// All tokens that are valid.
#[derive(Debug)]
pub(super) struct Tokens {
    /// By their text, with the number of their making.
    known: BTreeMap<String, (u64, Token)>,
    made: u64,
    random: Random,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self { known: BTreeMap::new(), made: 0, random: Random::new(1) }
    }

    /// Keeps a token and gives its text.
    pub(super) fn give_out(&mut self, token: Token) -> String {
        if self.known.len() >= TOKENS_MAX {
            let oldest =
                self.known.iter().min_by_key(|(_, (number, _))| *number).map(|(text, _)| text.clone());
            self.known.remove(&oldest.unwrap_or_default());
        }
        let mut text = "gAAAAA".to_owned();
        while text.len() < TOKEN_CHARACTERS {
            self.random.write_hex32(&mut text);
        }
        text.truncate(TOKEN_CHARACTERS);
        self.made += 1;
        self.known.insert(text.clone(), (self.made, token));
        text
    }

    /// The token of that text, if it is valid.
    pub(super) fn find(&self, text: &str, options: &Options) -> Option<&Token> {
        let (_, token) = self.known.get(text)?;
        let account = options.accounts.iter().find(|account| account.id == token.user)?;
        (account.is_enabled && token.expires_at > now()).then_some(token)
    }

    pub(super) fn revoke(&mut self, text: &str) {
        self.known.remove(text);
    }

    pub(super) fn revoke_all(&mut self) {
        self.known.clear();
    }

    pub(super) fn audit_id(&mut self) -> String {
        self.random.hex32().split_at(22).0.to_owned()
    }
}

/// A token as Keystone shows it.
pub(super) fn shown(token: &Token, account: &Account, catalog: Option<Value>) -> Value {
    let domain = json!({"id": "default", "name": "Default"});
    let mut body = json!({
        "methods": token.methods,
        "user": {"id": account.id, "name": account.name, "domain": domain, "password_expires_at": null},
        "audit_ids": token.audit_ids,
        "issued_at": token.issued_at.to_string(),
        "expires_at": token.expires_at.to_string(),
    });
    match &token.scope {
        Scope::Unscoped => return json!({"token": body}),
        Scope::Project(id) => {
            body["project"] = json!({"id": id, "name": super::accounts::project_name(id), "domain": domain});
            body["is_domain"] = json!(false);
        }
        Scope::Domain(id) => body["domain"] = json!({"id": id, "name": id}),
        Scope::System => body["system"] = json!({"all": true}),
    }
    let roles = token.roles.iter().map(|role| json!({"id": role_id(role), "name": role}));
    body["roles"] = roles.collect();
    if let Some(credential) = &token.credential {
        body["application_credential"] = json!({"id": credential, "restricted": true});
    }
    if let Some(catalog) = catalog {
        body["catalog"] = catalog;
    }
    json!({"token": body})
}

/// The catalog: three interfaces in each region, each with an address of its own, so that it shows which one was taken.
pub(super) fn catalog(options: &Options, has_balancers: bool, has_servers: bool, origin: &str) -> Value {
    let services = [
        ("identity", "keystone", "identity", true),
        ("network", "neutron", "network", true),
        ("load-balancer", "octavia", "load-balancer", has_balancers),
        ("compute", "nova", "compute/v2.1", has_servers),
        ("key-manager", "barbican", "key-manager", !options.secrets.is_empty()),
    ];
    let mut catalog = Vec::new();
    for (number, (kind, name, path, _)) in services.iter().enumerate().filter(|(_, service)| service.3) {
        let mut endpoints = Vec::new();
        for (place, region) in options.regions.iter().enumerate() {
            let region_part = if place == 0 { String::new() } else { format!("/regions/{region}") };
            for interface in ["admin", "internal", "public"] {
                let part = if interface == "public" { String::new() } else { format!("/{interface}") };
                endpoints.push(json!({
                    "id": format!("{number:08x}{place:08x}{:016x}", interface.len()),
                    "interface": interface,
                    "region": region,
                    "region_id": region,
                    "url": format!("{origin}{region_part}{part}/{path}"),
                }));
            }
        }
        catalog.push(
            json!({"id": format!("{number:032x}"), "type": kind, "name": name, "endpoints": endpoints}),
        );
    }
    Value::Array(catalog)
}

/// The id of a role: it belongs to the name.
pub(super) fn role_id(name: &str) -> String {
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    Random::new(seed).hex32()
}

/// The time now.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
