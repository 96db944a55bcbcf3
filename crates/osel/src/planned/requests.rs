//! Plans as requests to Neutron's API: one, a list, or one after the other.
//!
//! A request is `{"method", "path", "body"}`; a bare body such as `{"port": {…}}` stands for the request that would carry it. What a
//! body means is for the model's own reader: here it is only brought to its object. Requests are performed in their order.

use std::collections::BTreeSet;
use std::sync::Arc;

use osel_core::ids::Id;
use osel_core::model::{CloudModel, Kind};
use serde_json::{Deserializer, Value};

use super::error::PlanError;
use super::keys;
use super::neutron::text;
use super::note::{Note, NoteKind};
use super::step::{Act, Body, Interface, Planned, STEPS_MAX, Step};

/// Actions that are not performed. All but the last change the ways of packets; they are named so that nobody takes a silent answer for
/// a no.
const NOT_PERFORMED: [&str; 8] = [
    "add_extraroutes",
    "remove_extraroutes",
    "add_external_gateways",
    "update_external_gateways",
    "remove_external_gateways",
    "add_subports",
    "remove_subports",
    "tags",
];

/// Reads requests. Whether a bare body is of something that is there already is looked up in the cloud.
///
/// # Errors
/// When a text is no JSON, or no request that Neutron would take.
pub fn read_requests(plan: &str, cloud: &CloudModel) -> Result<Planned, PlanError> {
    let planned = Planned { in_order: true, ..Planned::default() };
    let mut reading = Reading { cloud, made: BTreeSet::new(), planned, number: 0, objects: 0 };
    let mut values = Deserializer::from_str(plan).into_iter::<Value>();
    let (mut end, mut line) = (0, 1);
    while let Some(value) = values.next() {
        let value = value?;
        let start = end + plan[end..].find(|c: char| !c.is_whitespace()).unwrap_or_default();
        line += plan[end..start].matches('\n').count();
        reading.value(value, line)?;
        end = values.byte_offset();
        line += plan[start..end].matches('\n').count();
    }
    if reading.number == 0 {
        return Err(PlanError::Mistaken { what: "empty", instead: "requests to Neutron as JSON" });
    }
    Ok(reading.planned)
}

struct Reading<'a> {
    cloud: &'a CloudModel,
    /// Objects that the plan makes under names of its own.
    made: BTreeSet<(Kind, Id)>,
    planned: Planned,
    number: usize,
    /// How many objects the bodies had.
    objects: usize,
}

/// A request before anybody has looked at what it asks for.
struct Request<'a> {
    /// Its name in answers: `request 3`.
    name: Arc<str>,
    line: usize,
    path: &'a str,
    body: Value,
}

impl Reading<'_> {
    fn value(&mut self, value: Value, line: usize) -> Result<(), PlanError> {
        match value {
            Value::Array(values) => values.into_iter().try_for_each(|value| self.request(value, line)),
            value => self.request(value, line),
        }
    }

    fn request(&mut self, value: Value, line: usize) -> Result<(), PlanError> {
        self.number += 1;
        if self.number > STEPS_MAX {
            return Err(PlanError::TooMany { max: STEPS_MAX });
        }
        let name: Arc<str> = format!("request {}", self.number).into();
        let at = format!("{name} (line {line})");
        let Value::Object(mut object) = value else {
            return Err(PlanError::request(&at, "it is no JSON object"));
        };
        if object.contains_key("resource_changes") || object.contains_key("planned_values") {
            return Err(PlanError::Mistaken { what: "a plan of Terraform", instead: "it with --terraform" });
        }
        if !object.contains_key("method") && !object.contains_key("path") {
            return self.bare_body(name, line, &at, object);
        }
        let part = |key: &str| text(&object, key).map(str::to_owned);
        let method =
            part("method").ok_or_else(|| PlanError::request(&at, "`method` is missing or no text"))?;
        let path = part("path").ok_or_else(|| PlanError::request(&at, "`path` is missing or no text"))?;
        let body = object.remove("body").unwrap_or_default();
        let request = Request { name, line, path: &path, body };
        let acts = match method.to_ascii_uppercase().as_str() {
            "POST" => self.post(request, &at)?,
            "PUT" => self.put(request, &at)?,
            "DELETE" => self.delete(request),
            "GET" | "HEAD" => self.passed_over(&request, NoteKind::Remark, "it reads, and changes nothing"),
            _ => return Err(PlanError::request(&at, "`method` is none of POST, PUT, DELETE")),
        };
        self.planned.steps.extend(acts);
        Ok(())
    }

    /// A body without its request: of something that is there already a change, else something new.
    fn bare_body(&mut self, name: Arc<str>, line: usize, at: &str, object: Body) -> Result<(), PlanError> {
        let found = Kind::ALL.into_iter().find_map(|kind| {
            let key = [kind.singular(), kind.plural()].into_iter().find(|key| object.contains_key(*key))?;
            Some((kind, key))
        });
        let Some((kind, _)) = found else {
            return Err(PlanError::request(
                at,
                "it has neither `method` and `path` nor the body of a known object",
            ));
        };
        let objects = self.checked(kind, &name, at, Value::Object(object))?;
        let acts = objects.into_iter().enumerate().map(|(index, body)| {
            let known = text(&body, "id")
                .map(Id::new)
                .filter(|id| self.cloud.knows(kind, id) || self.made.contains(&(kind, id.clone())));
            match known {
                Some(id) => Act::Update { kind, id, body, secret: Vec::new() },
                None => self.create(kind, &name, index, body),
            }
        });
        let acts: Vec<_> = acts.collect();
        self.note_made(&acts);
        self.planned.steps.push(Step { resource: name, line, acts });
        Ok(())
    }

    fn post(&mut self, request: Request<'_>, at: &str) -> Result<Option<Step>, PlanError> {
        let Some(Place { kind, parent, id: None }) = place(request.path) else {
            return Ok(self.passed_over(&request, NoteKind::NotEvaluated, "what it makes is not judged"));
        };
        let mut objects = self.checked(kind, &request.name, at, request.body)?;
        if let Some(parent) = parent {
            for body in &mut objects {
                body.insert("floatingip_id".to_owned(), parent.into());
            }
        }
        let acts: Vec<_> = objects
            .into_iter()
            .enumerate()
            .map(|(index, body)| self.create(kind, &request.name, index, body))
            .collect();
        self.note_made(&acts);
        Ok(Some(Step { resource: request.name, line: request.line, acts }))
    }

    /// The objects in a body; many are as many changes. They have keys of Neutron, or of its extensions by others: those have a colon.
    fn checked(
        &mut self,
        kind: Kind,
        name: &Arc<str>,
        at: &str,
        body: Value,
    ) -> Result<Vec<Body>, PlanError> {
        let objects = bodies(kind, body, at)?;
        self.objects += objects.len();
        if self.objects > STEPS_MAX {
            return Err(PlanError::TooMany { max: STEPS_MAX });
        }
        for key in objects.iter().flat_map(|object| keys::unknown(kind, object)) {
            if !key.contains(':') {
                let why = format!("Neutron knows no `{key}` of a {}", kind.singular());
                return Err(PlanError::request(at, why));
            }
            let text = format!("`{key}` is of an extension that osel does not know");
            self.planned.notes.push(Note::of(NoteKind::NotEvaluated, name, text));
        }
        Ok(objects)
    }

    fn create(&self, kind: Kind, name: &Arc<str>, index: usize, body: Body) -> Act {
        let id = match text(&body, "id") {
            Some(id) => Id::new(id),
            None if index == 0 => Id::new(name),
            None => Id::new(&format!("{name}[{index}]")),
        };
        Act::Create { kind, id, body, secret: Vec::new() }
    }

    fn note_made(&mut self, acts: &[Act]) {
        self.made.extend(acts.iter().filter_map(|act| match act {
            Act::Create { kind, id, .. } => Some((*kind, id.clone())),
            _ => None,
        }));
    }

    fn put(&mut self, mut request: Request<'_>, at: &str) -> Result<Option<Step>, PlanError> {
        let path = segments(request.path);
        let act = match path[..] {
            ["routers", router, action @ ("add_router_interface" | "remove_router_interface")] => {
                let body = request.body.as_object().cloned().unwrap_or_default();
                let id = |key| text(&body, key).map(Id::new);
                let interface =
                    Interface { router: Id::new(router), port: id("port_id"), subnet: id("subnet_id") };
                if interface.port.is_none() && interface.subnet.is_none() {
                    return Err(PlanError::request(at, "its body has neither `port_id` nor `subnet_id`"));
                }
                if action == "add_router_interface" { Act::Attach(interface) } else { Act::Detach(interface) }
            }
            ["address-groups", group, action @ ("add_addresses" | "remove_addresses")] => {
                let body = &mut request.body;
                let inner = body.get_mut("address_group").map(Value::take).unwrap_or_else(|| body.take());
                let Some(addresses) = inner.get("addresses").and_then(Value::as_array).cloned() else {
                    return Err(PlanError::request(at, "its body has no list `addresses`"));
                };
                let (add, remove) =
                    if action == "add_addresses" { (addresses, Vec::new()) } else { (Vec::new(), addresses) };
                Act::Addresses { group: Id::new(group), add, remove }
            }
            [.., action] if NOT_PERFORMED.contains(&action) => {
                let words = format!("{action} is not judged");
                return Ok(self.passed_over(&request, NoteKind::NotEvaluated, words));
            }
            _ => match place(request.path) {
                Some(Place { kind, id: Some(id), .. }) => {
                    let objects = self.checked(kind, &request.name, at, request.body)?;
                    change(kind, id, objects, at)?
                }
                _ => {
                    let words = "what it changes is not judged";
                    return Ok(self.passed_over(&request, NoteKind::NotEvaluated, words));
                }
            },
        };
        Ok(Some(Step { resource: request.name, line: request.line, acts: vec![act] }))
    }

    fn delete(&mut self, request: Request<'_>) -> Option<Step> {
        let Some(Place { kind, id: Some(id), .. }) = place(request.path) else {
            return self.passed_over(&request, NoteKind::NotEvaluated, "what it deletes is not judged");
        };
        let acts = vec![Act::Delete { kind, id: Id::new(id) }];
        Some(Step { resource: request.name, line: request.line, acts })
    }

    fn passed_over(&mut self, request: &Request<'_>, kind: NoteKind, why: impl Into<String>) -> Option<Step> {
        self.planned.notes.push(Note::of(kind, &request.name, why));
        None
    }
}

fn change(kind: Kind, id: &str, mut objects: Vec<Body>, at: &str) -> Result<Act, PlanError> {
    match (objects.pop(), objects.is_empty()) {
        (Some(body), true) => Ok(Act::Update { kind, id: Id::new(id), body, secret: Vec::new() }),
        _ => Err(PlanError::request(at, "a change has one body")),
    }
}

/// The objects in a body: one under the singular of its kind, or several under the plural.
fn bodies(kind: Kind, body: Value, at: &str) -> Result<Vec<Body>, PlanError> {
    let (one, many) = (kind.singular(), kind.plural());
    let wrong = |why: String| PlanError::request(at, why);
    let Value::Object(mut body) = body else { return Err(wrong(format!("its body has no object `{one}`"))) };
    let values = match (body.remove(one), body.remove(many)) {
        (Some(value), None) => vec![value],
        (None, Some(Value::Array(values))) => values,
        (None, Some(_)) => return Err(wrong(format!("`{many}` is no list"))),
        _ => return Err(wrong(format!("its body has neither `{one}` nor `{many}`"))),
    };
    let objects = values.into_iter().map(|value| match value {
        Value::Object(object) => Ok(object),
        _ => Err(wrong(format!("`{one}` is no object"))),
    });
    objects.collect()
}

/// What lies behind the version in a path or a URL: `["ports", ID]`.
fn segments(path: &str) -> Vec<&str> {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches(".json");
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let after = parts.iter().position(|part| *part == "v2.0").map_or(0, |at| at + 1);
    parts[after..].to_vec()
}

/// What a path leads to: a collection, or one object of it.
struct Place<'a> {
    kind: Kind,
    /// The floating IP of a forwarding.
    parent: Option<&'a str>,
    id: Option<&'a str>,
}

fn place(path: &str) -> Option<Place<'_>> {
    let (kind, parent, rest) = match segments(path)[..] {
        ["floatingips", floating, "port_forwardings", ref rest @ ..] => {
            (Kind::Forwarding, Some(floating), rest.to_vec())
        }
        [collection, ref rest @ ..] => (kind_of(collection)?, None, rest.to_vec()),
        [] => return None,
    };
    (rest.len() <= 1).then(|| Place { kind, parent, id: rest.first().copied() })
}

/// The kind of a collection's name in a path: `security-group-rules`.
fn kind_of(collection: &str) -> Option<Kind> {
    let name = collection.replace('-', "_");
    // Forwardings have no collection of their own, only one below each floating IP.
    Kind::ALL.into_iter().find(|kind| kind.plural() == name && *kind != Kind::Forwarding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(plan: &str) -> Vec<Step> {
        read_requests(plan, &CloudModel::default()).expect(plan).steps
    }

    fn error(plan: &str) -> String {
        read_requests(plan, &CloudModel::default()).expect_err(plan).to_string()
    }

    #[test]
    fn one_request_a_list_and_lines_are_the_same_to_it() {
        let one = r#"{"method":"DELETE","path":"/v2.0/ports/p1"}"#;
        let wanted = vec![Act::Delete { kind: Kind::Port, id: Id::new("p1") }];
        for (plan, lines) in [
            (one.to_owned(), vec![1]),
            (format!("[{one},{one}]"), vec![1, 1]),
            (format!("{one}\n\n{one}\n"), vec![1, 3]),
        ] {
            let steps = steps(&plan);
            assert_eq!(steps.iter().map(|step| step.line).collect::<Vec<_>>(), lines, "{plan}");
            assert!(steps.iter().all(|step| step.acts == wanted));
        }
        assert_eq!(&*steps(&format!("{one}{one}"))[1].resource, "request 2");
    }

    #[test]
    fn a_path_may_be_a_url_with_a_query() {
        for path in [
            "v2.0/ports/p1.json",
            "https://net.example:9696/v2.0/ports/p1?x=1",
            "/ports/p1",
            "/network/v2.0/ports/p1",
        ] {
            let steps = steps(&format!(r#"{{"method":"delete","path":"{path}"}}"#));
            assert_eq!(steps[0].acts, [Act::Delete { kind: Kind::Port, id: Id::new("p1") }], "{path}");
        }
    }

    #[test]
    fn actions_of_members_are_told_apart() {
        let put = |path: &str, body: &str| {
            let plan = format!(r#"{{"method":"PUT","path":"/v2.0/{path}","body":{body}}}"#);
            read_requests(&plan, &CloudModel::default()).expect(&plan)
        };
        let (router, subnet) = (Id::new("r"), Some(Id::new("s")));
        let interface = Interface { router, port: None, subnet };
        assert_eq!(
            put("routers/r/add_router_interface", r#"{"subnet_id":"s"}"#).steps[0].acts,
            [Act::Attach(interface.clone())]
        );
        assert_eq!(
            put("routers/r/remove_router_interface", r#"{"subnet_id":"s"}"#).steps[0].acts,
            [Act::Detach(interface)]
        );
        for body in [r#"{"address_group":{"addresses":["10.0.0.0/8"]}}"#, r#"{"addresses":["10.0.0.0/8"]}"#] {
            let add = vec!["10.0.0.0/8".into()];
            assert_eq!(
                put("address-groups/a/add_addresses", body).steps[0].acts,
                [Act::Addresses { group: Id::new("a"), add, remove: Vec::new() }]
            );
        }
        for path in [
            "routers/r/add_extraroutes",
            "routers/r/update_external_gateways",
            "trunks/t/add_subports",
            "qos/policies/q",
            "fwaas/firewall_groups/f",
        ] {
            let planned = put(path, "{}");
            assert!(planned.steps.is_empty(), "{path}");
            let note = &planned.notes[0];
            assert_eq!(note.kind, NoteKind::NotEvaluated, "{path}");
            assert!(note.text.ends_with("is not judged"), "{}", note.text);
        }
    }

    #[test]
    fn a_bare_body_makes_something_or_changes_what_the_plan_made() {
        let steps = steps(
            r#"{"security_group":{"id":"web","name":"web"}} {"security_group":{"id":"web","name":"w2"}}"#,
        );
        assert!(matches!(&steps[0].acts[..], [Act::Create { id, .. }] if *id == Id::new("web")));
        assert!(matches!(&steps[1].acts[..], [Act::Update { id, .. }] if *id == Id::new("web")));
    }

    #[test]
    fn bulk_bodies_are_several_objects() {
        let plan = r#"{"method":"POST","path":"/v2.0/security-group-rules","body":{"security_group_rules":[{},{}]}}"#;
        let ids: Vec<_> = steps(plan)[0]
            .acts
            .iter()
            .map(|act| match act {
                Act::Create { id, .. } => id.to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(ids, ["request 1", "request 1[1]"]);
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_place() {
        assert_eq!(error("[7]"), "request 1 (line 1): it is no JSON object");
        assert_eq!(
            error("{\"a\":1}"),
            "request 1 (line 1): it has neither `method` and `path` nor the body of a known object"
        );
        assert_eq!(error("\n\n{\"method\":\"POST\"}"), "request 1 (line 3): `path` is missing or no text");
        assert_eq!(
            error(r#"{"method":"PATCH","path":"/v2.0/ports"}"#),
            "request 1 (line 1): `method` is none of POST, PUT, DELETE"
        );
        assert_eq!(
            error(r#"{"method":"POST","path":"/v2.0/ports","body":{"port":7}}"#),
            "request 1 (line 1): `port` is no object"
        );
        assert_eq!(
            error(r#"{"method":"POST","path":"/v2.0/ports","body":{"network":{}}}"#),
            "request 1 (line 1): its body has neither `port` nor `ports`"
        );
        assert_eq!(error(" \n"), "it is empty; give requests to Neutron as JSON");
        assert_eq!(error("{\n"), "line 2 column 0 is the end, and the JSON is not complete");
        assert_eq!(error("hunter2"), "line 1 column 1 is not JSON");
        assert_eq!(
            error(r#"{"resource_changes":[]}"#),
            "it is a plan of Terraform; give it with --terraform"
        );
    }
}
