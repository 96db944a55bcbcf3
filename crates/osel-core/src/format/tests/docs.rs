//! The examples of `docs/formats.md` are what the program makes: they are compared here.

use super::recorded::{lines, record};
use crate::engine::record::{Record, TargetPart};
use crate::exposure::JudgedRow;
use crate::format::Format;
use crate::ids::Id;
use crate::model::{Permission, Row, Source, Via};
use crate::trail::RecordKind;

/// The record of the page: somebody opens SSH of one server to the world.
fn example() -> Record {
    let facts = [("verb", "create"), ("rule", "ingress tcp 22 from 0.0.0.0/0"), ("group", "web")];
    let mut record = record(RecordKind::Change, "success", &facts);
    let project = Id::new("7d1e0fcd2ab14b0c8a2b8a4a6a9f2c11");
    let body = &mut record.body;
    body.source = Some("bus".into());
    body.message_id = Some("5c0a83a5-8ea1-4a9a-9a44-7f0c2f3fd0c1".into());
    body.request_id = Some(Id::new("req-1aa173ed-c4c1-408f-b0fe-79a4c43fd1ac"));
    body.event_type = Some("security_group_rule.create.end".into());
    body.user_id = Some(Id::new("0134e963d2cb47acb1cbded3d170eb51"));
    body.project_id = Some(project.clone());
    body.project_name = Some("shop".into());
    body.target = Some(TargetPart {
        kind: "security_group_rule".into(),
        id: Some(Id::new("2f9b1d6e-55d0-4d6b-8a05-0a4f4f2f6a11")),
        name: None,
        project_id: Some(project.clone()),
    });
    record.personal.user_name = Some("ada".into());
    let row = Row {
        address: "198.51.100.7/32".parse().expect("an address"),
        via: Via::Floating,
        fixed_ip: "10.0.0.9/32".parse().ok(),
        port_id: Id::new("c9a7a2a6-6a0e-4f8e-9d57-3f6f5b1b2f10"),
        device_id: Some(Id::new("a37bcd3e-1c57-4e0d-8a3f-4b9fd3a3a3c4")),
        device_owner: Some("compute:nova".into()),
        project_id: Some(project),
        network_id: Some(Id::new("6f5f2f0e-8d8f-4b1c-8d2a-b0a3a5b7b1de")),
        region: Some("north".into()),
        permission: Permission::new(false, Some("tcp"), Some(22), Some(22), Source::family(false)),
        security_group_id: Some(Id::new("e3f1a5d2-4b7e-4c3a-9c55-d4b9a7a1f001")),
        rule_id: Some(Id::new("2f9b1d6e-55d0-4d6b-8a05-0a4f4f2f6a11")),
    };
    record.opened = vec![JudgedRow { row, redundant: false, covered_before: false }];
    record
}

/// The lines of a form as the page has them: JSON in columns, versions left open, since pages outlive them.
fn shown(format: Format) -> String {
    let lines = lines(format, &example(), None);
    let lines = lines.iter().map(|line| {
        if format.is_json() && format != Format::Osel11 {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            serde_json::to_string_pretty(&value).expect("JSON")
        } else {
            line.clone()
        }
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let version = env!("CARGO_PKG_VERSION");
    text.replace(&format!("\"version\": \"{version}\""), "\"version\": \"X.Y.Z\"")
        .replace(&format!("|osel|{version}|"), "|osel|X.Y.Z|")
}

#[test]
fn examples_are_what_the_program_makes() {
    let page = include_str!("../../../../../docs/formats.md");
    let mut missing = Vec::new();
    for format in Format::ALL {
        let shown = shown(format);
        if format == Format::CadfText {
            // The identity service alone is in this form.
            assert_eq!(shown, "");
        } else if format == Format::Native {
            // Its keys are those of the contract, where they are explained.
        } else if !page.contains(&format!("\n{shown}\n```")) {
            missing.push(format!("== {format}\n{shown}\n"));
        }
    }
    assert!(missing.is_empty(), "docs/formats.md does not show:\n{}== end", missing.concat());
}
