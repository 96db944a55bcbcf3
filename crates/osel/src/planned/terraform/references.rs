//! Where a value that is not known yet comes from: through variables and outputs of modules to resources.
//!
//! The configuration of a plan lists what an expression names, without what it does with it. So the answer is a set of resources that
//! the value may come from, and whether it may come from elsewhere too: locals, for instance, are not in a plan.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{Configuration, Module, Resource, ResourceChange};
use super::known::{Known, add_texts};
use super::translate::{INSTANCE, SECURITY_GROUP};

/// How many variables and outputs are followed one behind the other: a value seldom passes more than three modules.
const DEPTH_MAX: u32 = 32;
/// How many references are followed for one value. Outputs that name several others each would have one value come from millions.
const REFERENCES_MAX: u32 = 10_000;

/// What a value may come from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Origins {
    /// Instances of resources, by their places in the list of changes.
    pub(super) changes: BTreeSet<usize>,
    /// Whether it may come from something else too.
    pub(super) open: bool,
    /// Whether it may also be what the plan gives it, or null: an expression that names a variable, `each.value`, a data source or
    /// anything else besides ids of resources may be a condition.
    pub(super) given: bool,
    /// Whether anything besides ids and names of groups decides on it, such as a variable: then a list of groups may turn out empty.
    pub(super) decided: bool,
    /// Texts that were known when the plan was made and that it names: of variables and of data sources that were read.
    pub(super) told: BTreeSet<String>,
    /// Whether it may be something that was known and that the plan does not tell.
    pub(super) untold: bool,
    /// Those of the changes that only what a resource is made for each of names: of one that is no such object another value of the
    /// same element may be.
    pub(super) of_each: BTreeSet<usize>,
    /// Of servers among the changes, which of their networks are named; none for all of them.
    pub(super) networks: BTreeMap<usize, BTreeSet<Option<usize>>>,
}

/// A module call on the way to a module, with its instance where it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) key: Option<String>,
}

/// Where an expression stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// From the root inwards.
    modules: Vec<Part>,
    /// The instance of the resource, or of the module call, that the expression belongs to.
    key: Option<String>,
    /// What `each.value` is an element of.
    owner: Owner,
}

/// What an expression belongs to.
#[derive(Clone, Debug, Default)]
enum Owner {
    /// Nothing that there may be several of.
    #[default]
    Nothing,
    /// A resource of this type and name.
    Resource { data: bool, kind: String, name: String },
    /// The call of a module.
    Call(String),
}

impl Scope {
    /// Where the expressions of an instance of a resource stand.
    pub(super) fn of(change: &ResourceChange) -> Self {
        let modules = modules(change.module_address.as_deref().unwrap_or_default());
        let (kind, name) = (change.kind.clone(), change.name.clone());
        Self { modules, key: change.key(), owner: Owner::Resource { data: change.is_data(), kind, name } }
    }
}

/// The module that a scope is in, as it is written.
pub(super) fn module<'a>(configuration: &'a Configuration, scope: &Scope) -> Option<&'a Module> {
    configuration.module(&scope.modules)
}

impl Configuration {
    /// The module that is called by these calls, one inside the other.
    pub(super) fn module(&self, calls: &[Part]) -> Option<&Module> {
        calls.iter().try_fold(&self.root_module, |module, part| {
            module.module_calls.get(&part.name).map(|call| &call.module)
        })
    }
}

/// The references that stand in an expression, or in the blocks below it.
pub(super) fn references(expression: &Value) -> Vec<&str> {
    match expression {
        Value::Object(object) => match object.get("references").and_then(Value::as_array) {
            Some(references) => references.iter().filter_map(Value::as_str).collect(),
            None => object.values().flat_map(references).collect(),
        },
        Value::Array(values) => values.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// The changes of a plan, to be found by what references say of them, and how they are written.
#[derive(Debug)]
pub(super) struct Catalogue<'a> {
    pub(super) changes: &'a [ResourceChange],
    pub(super) configuration: Option<&'a Configuration>,
    /// What was known when the plan was made.
    known: Known<'a>,
    /// The places of a resource's instances, by its type and name.
    by_name: BTreeMap<(&'a str, &'a str), Vec<usize>>,
    /// The same by the instance's key too: ten thousand of one count would be looked through ten thousand times.
    by_key: BTreeMap<(&'a str, &'a str, String), Vec<usize>>,
}

impl<'a> Catalogue<'a> {
    pub(super) fn new(changes: &'a [ResourceChange], configuration: Option<&'a Configuration>) -> Self {
        let mut by_name: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        let mut by_key: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            by_name.entry((&*change.kind, &*change.name)).or_default().push(at);
            if let Some(key) = change.key() {
                by_key.entry((&*change.kind, &*change.name, key)).or_default().push(at);
            }
        }
        Self { changes, configuration, known: Known::default(), by_name, by_key }
    }

    /// With what was known when the plan was made.
    pub(super) fn with_known(self, known: Known<'a>) -> Self {
        Self { known, ..self }
    }

    /// What an expression that stands in a scope may come from.
    pub(super) fn origins(&self, scope: &Scope, expression: &Value) -> Origins {
        self.search(scope, expression, REFERENCES_MAX)
    }

    fn search(&self, scope: &Scope, expression: &Value, most: u32) -> Origins {
        let mut origins = Origins::default();
        match self.configuration {
            Some(configuration) => {
                let (left, in_element) = (most, false);
                let mut search =
                    Search { catalogue: self, configuration, left, in_element, origins: &mut origins };
                search.follow(scope, &references(expression), DEPTH_MAX);
            }
            None => origins.open = true,
        }
        origins
    }
}

struct Search<'a> {
    catalogue: &'a Catalogue<'a>,
    configuration: &'a Configuration,
    /// How many references may still be followed.
    left: u32,
    /// Whether it is followed what an element of `for_each` has, which may have more values than the one that is meant.
    in_element: bool,
    origins: &'a mut Origins,
}

impl Search<'_> {
    /// Follows what gives a value to a variable or an output.
    fn follow_to(&mut self, scope: &Scope, expression: &Value, depth: u32) {
        if let Some(value) = expression.get("constant_value") {
            self.tell(value);
        }
        self.follow(scope, &references(expression), depth);
    }

    fn tell(&mut self, value: &Value) {
        self.origins.untold |= !add_texts(value, &mut self.origins.told);
    }

    fn follow(&mut self, scope: &Scope, references: &[&str], depth: u32) {
        self.origins.given |= references.is_empty();
        self.origins.decided |= references.is_empty();
        // `a.b[0].id` is followed by `a.b[0]` and `a.b`, which say less of the same.
        let mut longest = "";
        let own_key = references.iter().any(|reference| {
            matches!(*reference, "count.index" | "each.key" | "each.value")
                || reference.starts_with("each.value.")
        });
        // Of `a.b[each.key].id` there is only `a.b`, and behind it what the key is made of.
        let mut is_key = false;
        for &reference in references {
            let repeats = longest
                .strip_prefix(reference)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
            if !repeats {
                longest = reference;
                let parts = parts(reference);
                self.one(scope, &parts, own_key, is_key, depth);
                is_key = is_whole(&parts);
            }
        }
    }

    fn one(&mut self, scope: &Scope, parts: &[Part], own_key: bool, is_key: bool, depth: u32) {
        let (Some(depth), Some(left)) = (depth.checked_sub(1), self.left.checked_sub(1)) else {
            self.origins.open = true;
            return;
        };
        self.left = left;
        match parts {
            [first, second, ..] if first.name == "each" && second.name == "value" => {
                self.origins.given = true;
                if !is_key {
                    self.element(scope, parts.len() > 2, depth);
                }
            }
            [first, ..] if matches!(&*first.name, "count" | "each" | "path" | "terraform" | "self") => {
                self.origins.given |= !is_key;
                self.origins.decided |= !is_key;
            }
            [first, variable, ..] if first.name == "var" => self.variable(scope, &variable.name, depth),
            [first, call, output, ..] if first.name == "module" => {
                self.output(scope, call, &output.name, own_key, depth);
            }
            [first, kind, name, value @ ..] if first.name == "data" => {
                self.data(scope, &kind.name, name, value.first(), own_key);
            }
            [kind, name, value @ ..] if kind.name != "local" => {
                self.resource(scope, &kind.name, name, value.first(), own_key);
            }
            _ => self.origins.open = true,
        }
    }

    /// The element that an instance is made for, or a value of it: of a map of resources the one with the instance's key, else any that
    /// the map names. An element of which the plan tells nothing is untold.
    fn element(&mut self, scope: &Scope, is_part: bool, depth: u32) {
        let configuration = self.configuration;
        let each = module(configuration, scope).and_then(|module| match &scope.owner {
            Owner::Nothing => None,
            Owner::Call(name) => module.module_calls.get(name)?.for_each_expression.as_ref(),
            Owner::Resource { data, kind, name } => {
                let is_it = |resource: &&Resource| {
                    resource.kind == *kind && resource.name == *name && resource.is_data() == *data
                };
                module.resources.iter().find(is_it)?.for_each_expression.as_ref()
            }
        });
        let Some(each) = each.filter(|each| !each.is_null()) else {
            (self.origins.untold, self.origins.decided) = (true, true);
            return;
        };
        let before = self.origins.changes.clone();
        let was_in = self.in_element;
        self.in_element |= is_part;
        let outer = Scope { owner: Owner::Nothing, ..scope.clone() };
        match &references(each)[..] {
            // `for_each = sg.all` and `each.value.id`.
            [only] if is_part && is_whole(&parts(only)) => self.one(&outer, &parts(only), true, false, depth),
            _ => self.follow_to(&outer, each, depth),
        }
        self.in_element = was_in;
        self.origins.of_each.extend(self.origins.changes.difference(&before).copied());
    }

    /// A variable of a module is what its call says; one of the root is known.
    fn variable(&mut self, scope: &Scope, name: &str, depth: u32) {
        let mut outer = scope.clone();
        let Some(call) = outer.modules.pop() else {
            (self.origins.given, self.origins.decided) = (true, true);
            let catalogue = self.catalogue;
            match catalogue.known.variable(name) {
                Some(value) => self.tell(value),
                None => self.origins.untold = true,
            }
            return;
        };
        outer.key.clone_from(&call.key);
        outer.owner = Owner::Call(call.name.clone());
        let module = module(self.configuration, &outer);
        let expression = module
            .and_then(|module| module.module_calls.get(&call.name))
            .and_then(|written| written.expressions.get(name));
        match expression {
            Some(expression) => self.follow_to(&outer, expression, depth),
            None => {
                (self.origins.given, self.origins.decided) = (true, true);
                let inner = module.and_then(|module| module.module_calls.get(&call.name));
                let default = inner.and_then(|call| call.module.variables.get(name)?.default.as_ref());
                default.into_iter().for_each(|default| self.tell(default));
            }
        }
    }

    fn output(&mut self, scope: &Scope, call: &Part, name: &str, own_key: bool, depth: u32) {
        let mut inner = scope.clone();
        let key = call.key.clone().or_else(|| own_key.then(|| scope.key.clone()).flatten());
        inner.modules.push(Part { name: call.name.clone(), key });
        (inner.key, inner.owner) = (None, Owner::Nothing);
        let output = module(self.configuration, &inner).and_then(|module| module.outputs.get(name));
        match output {
            Some(output) => self.follow_to(&inner, &output.expression, depth),
            None => self.origins.open = true,
        }
    }

    fn resource(&mut self, scope: &Scope, kind: &str, name: &Part, value: Option<&Part>, own_key: bool) {
        let found = self.instances(scope, false, kind, name, own_key);
        self.origins.open |= found.is_empty();
        // Another value than its id is none itself, and so decides which one it is.
        self.origins.given |= value.is_some_and(|value| value.name != "id");
        self.origins.decided |= !self.in_element && decides(kind, value.map_or("id", |value| &value.name));
        if kind == INSTANCE {
            let network = match value {
                Some(value) if value.name == "network" => value.key.as_ref().and_then(|at| at.parse().ok()),
                // Its address and what its id stands for are those of the first.
                Some(_) => Some(0),
                None => None,
            };
            found.iter().for_each(|at| {
                self.origins.networks.entry(*at).or_default().insert(network);
            });
        }
        self.origins.changes.extend(found);
    }

    fn data(&mut self, scope: &Scope, kind: &str, name: &Part, value: Option<&Part>, own_key: bool) {
        let found = self.instances(scope, true, kind, name, own_key);
        if found.is_empty() {
            // What was read while planning is known, and no change.
            self.origins.given = true;
            let value = value.map_or("id", |value| &*value.name);
            let catalogue = self.catalogue;
            self.origins.decided |= decides(kind, value);
            match catalogue.known.data(self.configuration, &scope.modules, kind, name, value) {
                Some(values) => {
                    self.origins.decided |= values.is_empty();
                    values.into_iter().for_each(|value| self.tell(value));
                }
                None => self.origins.untold = true,
            }
        }
        self.origins.changes.extend(found);
    }

    /// The places of the instances of a resource that a reference may mean.
    fn instances(&mut self, scope: &Scope, data: bool, kind: &str, name: &Part, own_key: bool) -> Vec<usize> {
        let is_it = |change: &ResourceChange| {
            change.is_data() == data && change.deposed.is_none() && stands_in(change, &scope.modules)
        };
        let changes = self.catalogue.changes;
        let those = |places: Option<&Vec<usize>>| -> Vec<usize> {
            places.into_iter().flatten().copied().filter(|at| is_it(&changes[*at])).collect()
        };
        let key = name.key.clone().or_else(|| own_key.then(|| scope.key.clone()).flatten());
        let by_key = key.map(|key| those(self.catalogue.by_key.get(&(kind, &*name.name, key))));
        // An instance that is not there may be what `try` is for.
        let is_absent = by_key.as_ref().is_some_and(Vec::is_empty);
        self.origins.given |= is_absent;
        self.origins.decided |= is_absent;
        by_key
            .filter(|found| !found.is_empty())
            .unwrap_or_else(|| those(self.catalogue.by_name.get(&(kind, &*name.name))))
    }
}

/// Whether a value of a resource is none by which ports and servers have groups, and so decides on something.
fn decides(kind: &str, value: &str) -> bool {
    kind != SECURITY_GROUP || !matches!(value, "id" | "name")
}

/// Whether a reference means a resource as a whole, or all instances of it.
fn is_whole(parts: &[Part]) -> bool {
    match parts {
        [data, _, name] if data.name == "data" => name.key.is_none(),
        [kind, name] => {
            let others = ["count", "each", "path", "terraform", "self", "var", "local", "module", "data"];
            !others.contains(&&*kind.name) && name.key.is_none()
        }
        _ => false,
    }
}

/// Whether a resource is in a module; of an instance that is not told, in any.
fn stands_in(change: &ResourceChange, wanted: &[Part]) -> bool {
    is_within(&modules(change.module_address.as_deref().unwrap_or_default()), wanted)
}

/// Whether the calls of modules are those that are wanted.
pub(super) fn is_within(own: &[Part], wanted: &[Part]) -> bool {
    own.len() == wanted.len()
        && own
            .iter()
            .zip(wanted)
            .all(|(own, wanted)| own.name == wanted.name && (wanted.key.is_none() || wanted.key == own.key))
}

/// The calls in a module's address: `module.a[0].module.b`.
pub(super) fn modules(address: &str) -> Vec<Part> {
    let parts = parts(address);
    parts.chunks_exact(2).filter(|pair| pair[0].name == "module").map(|pair| pair[1].clone()).collect()
}

/// The parts of an address between its dots, each with the last of its instances' brackets. A key may have dots, quotes and brackets.
fn parts(address: &str) -> Vec<Part> {
    let mut parts = vec![Part { name: String::new(), key: None }];
    let mut rest = address;
    while let Some(c) = rest.chars().next() {
        let last = parts.len() - 1;
        match c {
            '.' => parts.push(Part { name: String::new(), key: None }),
            '[' => {
                let end = end_of_key(&rest[1..]);
                parts[last].key = Some(rest[1..=end].to_owned());
                rest = rest.get(end + 2..).unwrap_or_default();
                continue;
            }
            c => parts[last].name.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    parts
}

/// How long the text before the bracket that closes a key is.
fn end_of_key(text: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_apart_whatever_their_keys_are() {
        let shown = |address: &str| {
            let parts = parts(address).into_iter();
            parts.map(|part| format!("{} {}", part.name, part.key.unwrap_or_default())).collect::<Vec<_>>()
        };
        assert_eq!(shown("a.b[0].id"), ["a ", "b 0", "id "]);
        assert_eq!(shown(r#"module.m["x.y]\"["].a.b"#), ["module ", r#"m "x.y]\"[""#, "a ", "b "]);
        assert_eq!(shown("a.b[").len(), 2);
        assert_eq!(shown("ä.ö[\"ü"), ["ä ", "ö \"ü"]);
        assert_eq!(modules(r#"module.a[0].module.b["k"]"#).len(), 2);
        assert!(modules("").is_empty());
    }

    const PLAN: &str = include_str!("../../../tests/it/whatif/shapes.terraform.json");

    /// What real Terraform wrote of counts, keys, modules and locals.
    #[test]
    fn values_are_followed_through_modules_to_their_resources() {
        let document = super::super::document::Document::read(PLAN.as_bytes()).unwrap();
        let changes = document.resource_changes.unwrap();
        let configuration = document.configuration.unwrap();
        let catalogue = Catalogue::new(&changes, Some(&configuration));
        let found = |address: &str| {
            let change = changes.iter().find(|change| change.address == address).expect(address);
            let scope = Scope::of(change);
            let module = module(&configuration, &scope).unwrap();
            let resource = module.resources.iter().find(|resource| resource.name == change.name).unwrap();
            let origins = catalogue.origins(&scope, &resource.expressions["input"]);
            let addresses: Vec<_> = origins.changes.iter().map(|at| changes[*at].address.as_str()).collect();
            (addresses.join(" "), origins.open)
        };
        let check = |address: &str, wanted: &str, open: bool| {
            assert_eq!(found(address), (wanted.to_owned(), open), "{address}");
        };
        check(r#"terraform_data.each["a"]"#, "terraform_data.web[0]", false);
        check("terraform_data.byindex[1]", "terraform_data.web[1]", false);
        check(r#"terraform_data.byeach["b"]"#, r#"terraform_data.each["b"]"#, false);
        check("terraform_data.splat", "terraform_data.web[0] terraform_data.web[1]", false);
        check("terraform_data.loc", "", true);
        check("terraform_data.out", "module.m[0].terraform_data.g", false);
        check("module.m[1].terraform_data.rule", "terraform_data.web[1]", false);
    }

    /// Eight modules, each of which gives two values of the ones below it: hundreds of ways to the innermost.
    #[test]
    fn a_value_that_comes_by_too_many_ways_is_given_up() {
        let mut inner = serde_json::json!({"outputs": {"o": {"expression": {"references": []}}}});
        for _ in 0..8 {
            inner = serde_json::json!({
                "outputs": {"o": {"expression": {"references": ["module.a.o", "module.b.o"]}}},
                "module_calls": {"a": {"module": inner}, "b": {"module": inner}},
            });
        }
        let configuration = serde_json::from_value(serde_json::json!({
            "root_module": {"module_calls": {"a": {"module": inner}}}
        }));
        let configuration = configuration.unwrap();
        let catalogue = Catalogue::new(&[], Some(&configuration));
        let expression = serde_json::json!({"references": ["module.a.o"]});
        let is_open = |most| catalogue.search(&Scope::default(), &expression, most).open;
        assert_eq!([1000, 100].map(is_open), [false, true]);
    }
}
