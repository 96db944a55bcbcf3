//! The whole of the emulated services: one cloud, its accounts and tokens, what goes wrong, what was asked.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::accounts::{Account, Scope, project_name};
use super::answer::Answer;
use super::cloud::Cloud;
use super::fault::{Fault, What};
use super::network::Links;
use super::options::Options;
use super::request::Request;
use super::tokens::{self, Token, Tokens, role_id};
use super::{authenticate, compute, identity, key_manager, network};

/// So many requests are remembered; the oldest is forgotten first. A read of a million ports makes a few thousand.
const REQUESTS_MAX: usize = 100_000;

/// The whole of the emulated services.
pub(super) struct State {
    pub(super) cloud: Cloud,
    pub(super) options: Options,
    pub(super) tokens: Tokens,
    pub(super) faults: Vec<Fault>,
    /// Method, path and query of each request, in the order of their coming.
    pub(super) asked: VecDeque<String>,
    /// How many there were altogether.
    pub(super) requests: u64,
}

impl State {
    pub(super) fn new(cloud: Cloud, options: Options) -> Self {
        let mut state = Self {
            cloud,
            options,
            tokens: Tokens::new(),
            faults: Vec::new(),
            asked: VecDeque::new(),
            requests: 0,
        };
        state.know_accounts();
        state
    }

    /// Puts the accounts and what they are for among the users and projects of the cloud, as in every cloud.
    pub(super) fn know_accounts(&mut self) {
        self.know("domains", "default", json!({"name": "Default", "enabled": true, "description": ""}));
        for account in self.options.accounts.clone() {
            let user = json!({"name": account.name, "domain_id": "default", "enabled": account.is_enabled,
                              "password_expires_at": null, "options": {}});
            self.know("users", &account.id, user);
            for grant in &account.grants {
                let role = json!({"name": grant.role, "domain_id": null, "options": {}});
                self.know("roles", &role_id(&grant.role), role);
                let scope = match &grant.scope {
                    Scope::Unscoped => continue,
                    Scope::System => json!({"system": {"all": true}}),
                    Scope::Domain(id) => json!({"domain": {"id": id}}),
                    Scope::Project(id) => {
                        let name = project_name(id);
                        let project = json!({"name": name, "domain_id": "default", "parent_id": "default",
                                             "enabled": true, "is_domain": false, "tags": [], "options": {}});
                        self.know("projects", id, project);
                        json!({"project": {"id": id}})
                    }
                };
                let assignment = json!({"role": {"id": role_id(&grant.role)}, "user": {"id": account.id},
                                        "scope": scope});
                self.cloud.put("role_assignments", assignment);
            }
        }
    }

    fn know(&mut self, collection: &str, id: &str, mut object: Value) {
        if self.cloud.get(collection, id).is_none() {
            object["id"] = json!(id);
            self.cloud.put(collection, object);
        }
    }

    pub(super) fn account(&self, user: &str) -> Option<&Account> {
        self.options.accounts.iter().find(|account| account.id == user)
    }

    /// Remembers a request and says what goes wrong with it.
    pub(super) fn note(&mut self, method: &str, target: &str) -> Option<What> {
        self.requests += 1;
        if self.asked.len() >= REQUESTS_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back(format!("{method} {target}"));
        let is_met = |what: &What, part: &str| {
            let is_behind = matches!(what, What::MarkerGone | What::Blind);
            target.contains(part) && (!is_behind || target.contains("marker="))
        };
        self.faults.iter_mut().find_map(|fault| fault.strike(is_met))
    }

    /// The answer to a request of which nothing, or only this, goes wrong.
    pub(super) fn answer(&mut self, request: &Request, wrong: Option<&What>) -> Answer {
        if wrong == Some(&What::ExpiredToken)
            && let Some(token) = &request.token
        {
            self.tokens.revoke(token);
        }
        let parts = request.parts();
        // Regions and interfaces other than the first have addresses of their own, and show the same.
        let parts = match parts.as_slice() {
            ["regions", _, rest @ ..] => rest,
            all => all,
        };
        let parts = match parts {
            ["internal" | "admin", rest @ ..] => rest,
            all => all,
        };
        let links = match wrong {
            Some(What::ForeignLinks) => Links::Foreign,
            Some(What::LoopingLinks) => Links::Looping,
            _ => Links::Right,
        };
        match parts {
            ["identity", rest @ ..] => identity::answer(self, request, rest),
            ["compute", ..] if wrong == Some(&What::MarkerGone) => {
                compute::marker_gone(request.query.get("marker").unwrap_or_default())
            }
            ["compute", rest @ ..] => compute::answer(self, request, rest),
            ["key-manager", rest @ ..] if !self.options.secrets.is_empty() => {
                key_manager::answer(self, request, rest)
            }
            ["load-balancer", rest @ ..] => network::balancers(self, request, rest, links),
            ["network", rest @ ..] => {
                if wrong == Some(&What::MarkerGone) {
                    let marker = request.query.get("marker").unwrap_or_default();
                    return network::marker_gone(rest, marker);
                }
                if wrong == Some(&What::Blind) {
                    return network::nothing(rest);
                }
                network::answer(self, request, rest, links)
            }
            _ => Answer::no_such_page(),
        }
    }

    /// The token of a request, if it is valid.
    pub(super) fn token(&self, request: &Request) -> Option<Token> {
        self.tokens.find(request.token.as_deref()?, &self.options).cloned()
    }

    /// The services that there are.
    pub(super) fn catalog(&self, origin: &str) -> Value {
        tokens::catalog(&self.options, network::has_balancers(self), self.cloud.has(compute::SERVERS), origin)
    }

    /// `POST /v3/auth/tokens` and what else is about tokens.
    pub(super) fn authentication(&mut self, request: &Request, parts: &[&str], keystone: &str) -> Answer {
        if parts == ["tokens"] && request.method == "POST" {
            return authenticate::issue(self, request, keystone);
        }
        let Some(token) = self.token(request) else { return Answer::unauthorized(keystone) };
        match parts {
            ["tokens"] if request.is_reading() || request.method == "DELETE" => {
                authenticate::about_token(self, request, &token)
            }
            ["catalog"] if request.is_reading() && token.scope != Scope::Unscoped => {
                let catalog = self.catalog(&request.origin);
                Answer::json(200, &json!({"catalog": catalog, "links": {"next": null}}))
            }
            [what] if request.is_reading() => {
                authenticate::scopes(self, &token, what).unwrap_or_else(Answer::no_such_page)
            }
            _ => Answer::no_such_page(),
        }
    }
}
