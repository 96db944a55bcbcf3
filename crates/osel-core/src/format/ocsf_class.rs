//! Which class of OCSF a record is of, and which of the class's activities. Numbers and captions are those of the schema, 1.8.0.

use super::told::Told;
use crate::trail::RecordKind;

/// A class of OCSF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    AccountChange,
    Authentication,
    EntityManagement,
    UserAccess,
    GroupManagement,
    ApiActivity,
    ScanActivity,
    DetectionFinding,
    VulnerabilityFinding,
}

impl Class {
    pub(super) fn uid(self) -> u64 {
        match self {
            Self::AccountChange => 3001,
            Self::Authentication => 3002,
            Self::EntityManagement => 3004,
            Self::UserAccess => 3005,
            Self::GroupManagement => 3006,
            Self::ApiActivity => 6003,
            Self::ScanActivity => 6007,
            Self::DetectionFinding => 2004,
            Self::VulnerabilityFinding => 2002,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AccountChange => "Account Change",
            Self::Authentication => "Authentication",
            Self::EntityManagement => "Entity Management",
            Self::UserAccess => "User Access Management",
            Self::GroupManagement => "Group Management",
            Self::ApiActivity => "API Activity",
            Self::ScanActivity => "Scan Activity",
            Self::DetectionFinding => "Detection Finding",
            Self::VulnerabilityFinding => "Vulnerability Finding",
        }
    }

    pub(super) fn category_uid(self) -> u64 {
        self.uid() / 1000
    }

    pub(super) fn category_name(self) -> &'static str {
        match self.category_uid() {
            2 => "Findings",
            3 => "Identity & Access Management",
            _ => "Application Activity",
        }
    }

    pub(super) fn is_finding(self) -> bool {
        self.category_uid() == 2
    }

    /// Whether its lines say whose request it was, and from where.
    pub(super) fn has_actor(self) -> bool {
        !self.is_finding() && self != Self::ScanActivity
    }
}

/// An activity of a class: its number and caption.
pub(super) type Activity = (u64, &'static str);

const UNKNOWN: Activity = (0, "Unknown");
const OTHER: Activity = (99, "Other");

/// The class and activity of a record.
pub(super) fn classify(told: &Told<'_>) -> (Class, Activity) {
    match told.kind() {
        RecordKind::Authentication => (Class::Authentication, (1, "Logon")),
        RecordKind::Change if told.service() == "identity" => identity(told),
        RecordKind::Change | RecordKind::Activity | RecordKind::System => {
            (Class::ApiActivity, by_verb(told.detail("verb")))
        }
        RecordKind::Access => {
            let verb = told.detail("action").and_then(|action| action.split('/').next());
            (Class::ApiActivity, by_verb(verb))
        }
        RecordKind::Scan | RecordKind::Command => (Class::ScanActivity, scan(told)),
        RecordKind::Finding => {
            let is_weakness = told.detail("vulnerability").is_some();
            let class = if is_weakness { Class::VulnerabilityFinding } else { Class::DetectionFinding };
            (class, finding(told))
        }
        RecordKind::Drift | RecordKind::Gap => (Class::DetectionFinding, (1, "Create")),
    }
}

fn by_verb(verb: Option<&str>) -> Activity {
    match verb {
        Some("create") => (1, "Create"),
        Some("read") => (2, "Read"),
        Some("update" | "change" | "attach" | "detach" | "add") => (3, "Update"),
        Some("delete") => (4, "Delete"),
        Some(_) => OTHER,
        None => UNKNOWN,
    }
}

/// What the identity service tells, where what the class asks for is known.
fn identity(told: &Told<'_>) -> (Class, Activity) {
    let verb = told.detail("verb");
    let assigned = if verb == Some("grant") { (1, "Assign Privileges") } else { (2, "Revoke Privileges") };
    if told.detail("user").is_some() {
        return (Class::UserAccess, assigned);
    }
    if told.detail("user_group").is_some() {
        return (Class::GroupManagement, assigned);
    }
    let is_named = told.target_id().is_some() || told.target_name().is_some();
    match (told.target_kind(), verb) {
        (Some("user"), Some("create")) if is_named => (Class::AccountChange, (1, "Create")),
        (Some("user"), Some("delete")) if is_named => (Class::AccountChange, (6, "Delete")),
        (Some("user"), _) if is_named => (Class::AccountChange, OTHER),
        (Some("group"), Some("create")) if is_named => (Class::GroupManagement, (6, "Create")),
        (Some("group"), Some("delete")) if is_named => (Class::GroupManagement, (5, "Delete")),
        (Some("group"), _) if is_named => (Class::GroupManagement, member(told)),
        (Some(_), _) if is_named => (Class::EntityManagement, by_verb(verb)),
        _ => (Class::ApiActivity, by_verb(verb)),
    }
}

/// The user that came to a group or left it, as `added user ID` and `removed user ID` say it.
pub(super) fn membership<'a>(told: &Told<'a>) -> Option<(bool, &'a str)> {
    let extra = told.detail("extra")?;
    let added = extra.strip_prefix("added user ").map(|user| (true, user));
    added.or_else(|| extra.strip_prefix("removed user ").map(|user| (false, user)))
}

fn member(told: &Told<'_>) -> Activity {
    match membership(told) {
        Some((true, _)) => (3, "Add User"),
        Some((false, _)) => (4, "Remove User"),
        None => OTHER,
    }
}

fn scan(told: &Told<'_>) -> Activity {
    match (told.kind(), told.outcome()) {
        (RecordKind::Scan, "success") => (2, "Completed"),
        // Nothing has begun where an address is not scanned at all.
        (_, "failure") => (6, "Error"),
        (_, "pending") if told.detail("reference").is_some() => (1, "Started"),
        _ => OTHER,
    }
}

/// What has become of a finding. What is told of one that is still open and was open before is an update.
fn finding(told: &Told<'_>) -> Activity {
    match (told.detail("state"), told.outcome()) {
        (Some("resolved"), _) => (3, "Close"),
        (Some("open"), "unknown")
            if told.detail("ordered_by").is_none() && told.detail("acknowledgement").is_none() =>
        {
            (1, "Create")
        }
        (Some(_), _) => (2, "Update"),
        (None, _) => (1, "Create"),
    }
}
