//! Whether what an account was shown is the whole cloud.
//!
//! Neutron refuses no list: it leaves out what the account may not see. To a token without a project it shows nothing at all, to an
//! ordinary user the own project and what is shared with it. A list is believed to be whole when it showed something that only who sees
//! everything is shown: an object of another project that nobody shares. For who has the role `admin` one such object of any kind
//! is enough; for others each kind needs its own, since each has a rule of its own in the policy.

use std::collections::{BTreeMap, BTreeSet};

use osel_core::event::Kind;
use serde::Deserialize;

/// The most own and shared networks, and groups, that are remembered: a project has thousands at most. Beyond, nothing is proved by what hangs on
/// them.
const OPEN_MAX: usize = 100_000;
/// The most proofs of a kind that are remembered: any of them that is shown again says that the account still sees all, and a few may be gone.
const PROOFS_MAX: usize = 8;

/// By kind, objects that only who sees everything is shown.
pub(super) type Proofs = BTreeMap<Kind, Vec<String>>;

/// What has been seen so far.
#[derive(Debug)]
pub(super) struct View {
    /// The account's project.
    own: String,
    is_admin: bool,
    proved: BTreeSet<Kind>,
    /// The ids of objects by which kinds are proved.
    proofs: Proofs,
    /// Networks and groups that the own project may see anyhow: what hangs on them proves nothing.
    open: BTreeSet<String>,
    /// Whether there may be others.
    has_more_open: bool,
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow, default)]
    id: Option<&'a str>,
    #[serde(borrow, default)]
    project_id: Option<&'a str>,
    /// The same where a service has no newer name for it.
    #[serde(borrow, default)]
    tenant_id: Option<&'a str>,
    #[serde(default)]
    shared: Option<bool>,
    #[serde(rename = "router:external", default)]
    external: Option<bool>,
    #[serde(borrow, default)]
    network_id: Option<&'a str>,
    #[serde(borrow, default)]
    security_group_id: Option<&'a str>,
}

impl<'a> Told<'a> {
    fn project(&self) -> Option<&'a str> {
        self.project_id.or(self.tenant_id)
    }
}

impl View {
    /// Of an account in a project.
    pub(super) fn new(own: &str, is_admin: bool) -> Self {
        let (proved, open) = (BTreeSet::new(), BTreeSet::new());
        let proofs = Proofs::new();
        Self { own: own.to_owned(), is_admin, proved, proofs, open, has_more_open: false }
    }

    /// Looks at an object of a list.
    pub(super) fn look(&mut self, kind: Kind, json: &str) {
        let is_holder = matches!(kind, Kind::Network | Kind::SecurityGroup);
        let has_proofs = self.proofs.get(&kind).is_some_and(|proofs| proofs.len() >= PROOFS_MAX);
        if has_proofs && (self.is_admin || !is_holder) {
            return;
        }
        let Ok(told) = serde_json::from_str::<Told<'_>>(json) else {
            // What cannot be read proves nothing, and may be what others hang on.
            return self.miss(kind);
        };
        let is_foreign = told.project().is_some_and(|project| project != self.own);
        let is_shared = told.shared != Some(false);
        let hangs_open = |holder: Option<&str>| {
            holder.is_none_or(|holder| self.open.contains(holder)) || self.has_more_open
        };
        let is_proof = is_foreign
            && match kind {
                Kind::Network => !is_shared && told.external != Some(true),
                Kind::Subnet | Kind::Port => !hangs_open(told.network_id),
                Kind::Rule => !hangs_open(told.security_group_id),
                // Whom a policy serves does not see it: only who made it does.
                Kind::RbacPolicy | Kind::FloatingIp | Kind::Router | Kind::Trunk => true,
                // It says nothing of its project.
                Kind::Forwarding => false,
                // Of load balancers nobody shares one; all others say whether they are.
                other => {
                    !is_shared
                        || (told.shared.is_none() && matches!(other.plural(), "loadbalancers" | "listeners"))
                }
            };
        if is_proof {
            self.proved.insert(kind);
            let proofs = self.proofs.entry(kind).or_default();
            if let Some(id) = told.id.filter(|_| proofs.len() < PROOFS_MAX) {
                proofs.push(id.to_owned());
            }
        } else if is_holder && let Some(id) = told.id {
            if self.open.len() < OPEN_MAX {
                self.open.insert(id.to_owned());
            } else {
                self.has_more_open = true;
            }
        }
    }

    /// The id of an object of another project; none of one that is the account's own.
    pub(super) fn strangers(&self, json: &str) -> Option<String> {
        let told: Told<'_> = serde_json::from_str(json).ok()?;
        let project = told.project().filter(|project| !project.is_empty() && *project != self.own);
        project.and(told.id).map(str::to_owned)
    }

    /// What proves that all was shown, for whoever asks later whether it still is.
    pub(super) fn proofs(self) -> Proofs {
        self.proofs
    }

    /// Of a kind something was not seen.
    pub(super) fn miss(&mut self, kind: Kind) {
        self.has_more_open |= matches!(kind, Kind::Network | Kind::SecurityGroup);
    }

    /// Whether a kind that was read to its end was shown whole.
    pub(super) fn is_proved(&self, kind: Kind) -> bool {
        let of = if kind == Kind::Forwarding { Kind::FloatingIp } else { kind };
        if self.is_admin { !self.proved.is_empty() } else { self.proved.contains(&of) }
    }
}

/// Whether an object is still another project's own: the project may have shared it since, or given it away.
pub(super) fn is_anothers(own: &str, json: &str) -> bool {
    serde_json::from_str::<Told<'_>>(json).is_ok_and(|told| {
        let is_foreign = told.project().is_some_and(|project| !project.is_empty() && project != own);
        is_foreign && told.shared != Some(true) && told.external != Some(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(is_admin: bool, objects: &[(Kind, &str)]) -> Vec<Kind> {
        let mut view = View::new("own", is_admin);
        for (kind, json) in objects {
            view.look(*kind, json);
        }
        Kind::ALL.into_iter().filter(|kind| view.is_proved(*kind)).collect()
    }

    #[test]
    fn what_an_ordinary_user_sees_proves_nothing() {
        let shown = [
            (Kind::Network, r#"{"id": "n1", "project_id": "own", "shared": false}"#),
            (Kind::Network, r#"{"id": "n2", "project_id": "other", "shared": true}"#),
            (
                Kind::Network,
                r#"{"id": "n3", "project_id": "other", "shared": false, "router:external": true}"#,
            ),
            (Kind::Subnet, r#"{"id": "s", "project_id": "other", "network_id": "n2"}"#),
            (Kind::Port, r#"{"id": "p1", "project_id": "own", "network_id": "n1"}"#),
            // Who owns a network sees every port on it.
            (Kind::Port, r#"{"id": "p2", "project_id": "other", "network_id": "n1"}"#),
            (Kind::SecurityGroup, r#"{"id": "g1", "project_id": "other", "shared": true}"#),
            // Older releases do not say whether a group is shared.
            (Kind::SecurityGroup, r#"{"id": "g2", "project_id": "other"}"#),
            (Kind::Rule, r#"{"id": "r1", "project_id": "other", "security_group_id": "g1"}"#),
            (Kind::Router, r#"{"id": "r", "project_id": "own"}"#),
            (Kind::Router, "no JSON"),
        ];
        assert_eq!(seen(false, &shown), []);
        assert_eq!(seen(true, &shown), []);
    }

    #[test]
    fn where_not_all_networks_were_seen_a_strangers_port_proves_nothing() {
        let port = r#"{"id": "p", "project_id": "other", "network_id": "n"}"#;
        assert_eq!(seen(false, &[(Kind::Port, port)]), [Kind::Port]);
        assert_eq!(seen(false, &[(Kind::Network, "no JSON"), (Kind::Port, port)]), []);
        let mut view = View::new("own", false);
        view.miss(Kind::Network);
        view.look(Kind::Port, port);
        assert!(!view.is_proved(Kind::Port));
    }

    #[test]
    fn a_strangers_own_object_proves_its_kind_and_for_an_administrator_all() {
        let shown = [
            (
                Kind::Network,
                r#"{"id": "n", "project_id": "other", "shared": false, "router:external": false}"#,
            ),
            (Kind::Port, r#"{"id": "p", "project_id": "other", "network_id": "n"}"#),
            (Kind::FloatingIp, r#"{"id": "f", "project_id": "other"}"#),
        ];
        assert_eq!(seen(false, &shown), [Kind::Network, Kind::Port, Kind::FloatingIp, Kind::Forwarding]);
        assert_eq!(seen(true, &shown[2..]), Kind::ALL);
    }
}
