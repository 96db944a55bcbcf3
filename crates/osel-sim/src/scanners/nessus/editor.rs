//! What scans are made of: templates, policies, scanners, folders. They are the same in every simulated product.

use serde_json::{Value, json};

use super::options::Product;

/// The templates: name, title, UUID.
pub(super) const TEMPLATES: [(&str, &str, &str); 3] = [
    ("basic", "Basic Network Scan", "731a8e52-3ea6-a291-ec0a-d2ff0619c19d7bd788d6be818b65"),
    ("advanced", "Advanced Scan", "ad629e16-03b6-8c1d-cef6-ef8c9dd3c658d24bd260ef5f9e66"),
    ("discovery", "Host Discovery", "bbd4f805-3966-d464-b2d1-0079eb89d69708c3a05ec2812bcf"),
];
/// The policies: id, name, place of the template.
pub(super) const POLICIES: [(u64, &str, usize); 2] = [(4, "Perimeter", 1), (9, "PCI quarterly", 0)];
/// The scanners: id, name, UUID.
pub(super) const SCANNERS: [(u64, &str, &str); 2] = [
    (1, "Local Scanner", "00000000-0000-0000-0000-00000000000000000000000000001"),
    (7, "dmz-1", "1c1e5d0a-6c43-4b4e-9d2f-8a1f1c2d3e4f"),
];
/// The folders: id, name, type.
const FOLDERS: [(u64, &str, &str); 3] =
    [(2, "Trash", "trash"), (3, "My Scans", "main"), (12, "osel", "custom")];

/// The list of templates, for scans and policies alike.
pub(super) fn templates() -> Value {
    let shown = TEMPLATES.map(|(name, title, uuid)| {
        json!({"name": name, "title": title, "uuid": uuid, "desc": title, "cloud_only": false,
               "subscription_only": false, "is_agent": false, "more_info": ""})
    });
    json!({"templates": shown})
}

/// One template: of the many settings, the one that names the scanners.
pub(super) fn template(uuid: &str) -> Option<Value> {
    let (name, title, _) = TEMPLATES.iter().find(|(_, _, known)| *known == uuid)?;
    let scanners = SCANNERS.map(|(_, name, uuid)| json!({"name": name, "id": uuid}));
    let inputs = json!([{"type": "select", "name": "Scanner", "id": "scanner_id", "options": scanners}]);
    Some(json!({"uuid": uuid, "name": name, "title": title, "settings": {"basic": {"inputs": inputs}}}))
}

/// The list of policies.
pub(super) fn policies() -> Value {
    let shown = POLICIES.map(|(id, name, template)| {
        json!({"id": id, "name": name, "template_uuid": TEMPLATES[template].2, "visibility": "private",
               "owner": "osel", "shared": 0, "user_permissions": 128})
    });
    json!({"policies": shown})
}

/// The list of scanners.
pub(super) fn scanners() -> Value {
    let shown = SCANNERS.map(|(id, name, uuid)| {
        json!({"id": id, "name": name, "uuid": uuid, "status": "on", "type": "local", "linked": 1})
    });
    json!({"scanners": shown})
}

/// The list of folders.
pub(super) fn folders() -> Value {
    let shown = FOLDERS.map(|(id, name, kind)| json!({"id": id, "name": name, "type": kind, "custom": 0}));
    Value::Array(shown.into())
}

/// Whether a scanner may be named so in an order: the cloud knows them by UUID.
pub(super) fn is_scanner(given: &Value, product: Product) -> bool {
    SCANNERS.iter().any(|(id, _, uuid)| match product {
        Product::Nessus => given.as_u64() == Some(*id) || given.as_str() == Some(&id.to_string()),
        Product::Cloud => given.as_str() == Some(uuid),
    })
}

/// Whether there is such a folder.
pub(super) fn is_folder(given: &Value) -> bool {
    FOLDERS.iter().any(|(id, ..)| given.as_u64() == Some(*id))
}
