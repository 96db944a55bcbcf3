//! YAML of accounts, with texts as they were written.
//!
//! YAML makes a number of `1e5` and of `0123`, and a truth of `true`; of a password or a name that is another text by then. So what is a
//! text in an account is read as the text that stands in the file, and everything else as YAML has it.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Below this many tables keys are an account's: `clouds`, and in it the name of a cloud, which may be any word.
const ACCOUNT_DEPTH: usize = 2;
/// Keys whose values are texts, with `-` written as `_`.
const TEXTS: [&str; 26] = [
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
    "auth_token",
    "auth_url",
    "default_domain_id",
    "default_domain_name",
    "domain_id",
    "domain_name",
    "passcode",
    "password",
    "project_domain_id",
    "project_domain_name",
    "project_id",
    "project_name",
    "region_name",
    "system_scope",
    "tenant_id",
    "tenant_name",
    "token",
    "trust_id",
    "user_domain_id",
    "user_domain_name",
    "user_id",
    "user_name",
    "username",
];

/// A file of accounts.
pub(super) struct Accounts(pub(super) Value);

impl<'de> Deserialize<'de> for Accounts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Part { depth: 0 }.deserialize(from).map(Self)
    }
}

/// A part of a file that stands in so many tables.
#[derive(Clone, Copy)]
struct Part {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Part {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part of an account")
    }

    fn visit_bool<E>(self, said: bool) -> Result<Value, E> {
        Ok(said.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        self.deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        let inner = Self { depth: self.depth + 1 };
        while let Some(key) = table.next_key::<String>()? {
            let is_text = self.depth >= ACCOUNT_DEPTH && TEXTS.contains(&key.replace('-', "_").as_str());
            let value = match is_text {
                true => table.next_value::<Option<String>>()?.into(),
                false => table.next_value_seed(inner)?,
            };
            values.insert(key, value);
        }
        Ok(values.into())
    }
}
