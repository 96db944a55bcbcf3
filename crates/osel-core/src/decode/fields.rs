//! Typed readers of single values: identifiers, texts, flags, numbers, addresses.
//!
//! Two ways to read: strictly, where a wrong type is a fault (the fields of objects that change the model),
//! and loosely, where it is nothing (actors, names, details of other services). Null is nothing either way.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;

use super::defect::{DefectKind, Fault};
use super::tape::{Token, Value, cut};
use crate::ids::{ID_BYTES_MAX, Id};

/// The longest text that is taken over into an event, in bytes: Neutron's and Keystone's names have 255
/// characters.
pub const TEXT_BYTES_MAX: usize = 1024;

/// The longest id that a tenant may have made up, in bytes: Neutron takes 255 characters, of up to four bytes each.
const CHOSEN_ID_BYTES_MAX: usize = 4 * 255;

impl<'t> Value<'t> {
    fn wrong<T>(self) -> Result<T, Fault> {
        Err(self.fault(DefectKind::WrongType))
    }

    /// A text; nothing for null.
    pub(super) fn text_or_null(self) -> Result<Option<Cow<'t, str>>, Fault> {
        match self.token() {
            Token::Null => Ok(None),
            Token::Text | Token::EscapedText | Token::Secret => Ok(self.text()),
            _ => self.wrong(),
        }
    }

    /// An identifier; nothing for null and for the empty text.
    pub(super) fn id(self) -> Result<Option<Id>, Fault> {
        match self.text_or_null()? {
            Some(text) if text.len() > ID_BYTES_MAX => Err(self.fault(DefectKind::TooLong)),
            Some(text) if !text.is_empty() => Ok(Some(Id::new(&text))),
            _ => Ok(None),
        }
    }

    /// What stands for an identifier and whoever made the object chose freely, cut to a limit; nothing for null and for the empty text.
    /// It finds nothing by itself: an object must not be refused, and so be hidden, for what stands there.
    pub(super) fn chosen_id(self) -> Result<Option<Id>, Fault> {
        let text = self.text_or_null()?.filter(|text| !text.is_empty());
        Ok(text.map(|text| Id::new(cut(&text, CHOSEN_ID_BYTES_MAX))))
    }

    /// A name or a word, cut to a limit; nothing for null.
    pub(super) fn name(self) -> Result<Option<Box<str>>, Fault> {
        Ok(self.text_or_null()?.map(|text| Box::from(cut(&text, TEXT_BYTES_MAX))))
    }

    /// A truth; nothing for null.
    pub(super) fn flag(self) -> Result<Option<bool>, Fault> {
        match self.token() {
            Token::Null => Ok(None),
            Token::True => Ok(Some(true)),
            Token::False => Ok(Some(false)),
            _ => self.wrong(),
        }
    }

    /// An integer within bounds; nothing for null.
    pub(super) fn integer(self, min: i64, max: i64) -> Result<Option<i64>, Fault> {
        if self.is_null() {
            return Ok(None);
        }
        let Some(digits) = self.number() else { return self.wrong() };
        if digits.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
            return self.wrong();
        }
        match digits.parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => Err(self.fault(DefectKind::NumberRange)),
        }
    }

    /// A list; null is an empty one.
    pub(super) fn list<T>(
        self,
        mut item: impl FnMut(Value<'t>) -> Result<Option<T>, Fault>,
    ) -> Result<Vec<T>, Fault> {
        match self.token() {
            Token::Null => Ok(Vec::new()),
            Token::Array => self.items().filter_map(|value| item(value).transpose()).collect(),
            _ => self.wrong(),
        }
    }

    /// An object, or nothing for null.
    pub(super) fn object_or_null(self) -> Result<Option<Value<'t>>, Fault> {
        match self.token() {
            Token::Null => Ok(None),
            Token::Object => Ok(Some(self)),
            _ => self.wrong(),
        }
    }

    /// An address; nothing for null and for the empty text.
    pub(super) fn address(self) -> Result<Option<IpAddr>, Fault> {
        match self.text_or_null()? {
            Some(text) if !text.is_empty() => match text.parse() {
                Ok(address) => Ok(Some(address)),
                Err(_) => Err(self.fault(DefectKind::NotAnAddress)),
            },
            _ => Ok(None),
        }
    }

    /// A prefix or an address, in network form; nothing for null and for the empty text.
    pub(super) fn prefix(self) -> Result<Option<IpNet>, Fault> {
        match self.text_or_null()? {
            Some(text) if !text.is_empty() => match parse_prefix(&text) {
                Some(prefix) => Ok(Some(prefix)),
                None => Err(self.fault(DefectKind::NotAnAddress)),
            },
            _ => Ok(None),
        }
    }

    /// An identifier, loosely: numbers too, nothing where there is no usable one.
    pub(super) fn loose_id(self) -> Option<Id> {
        let text = self.text().or_else(|| self.number().map(Cow::Borrowed))?;
        (!text.is_empty() && text.len() <= ID_BYTES_MAX).then(|| Id::new(&text))
    }

    /// A text, loosely: nothing where there is none or an empty one.
    pub(super) fn loose_text(self) -> Option<Box<str>> {
        let text = self.text()?;
        (!text.is_empty()).then(|| Box::from(cut(&text, TEXT_BYTES_MAX)))
    }

    /// The first of these members that has a usable identifier.
    pub(super) fn loose_id_of(self, keys: &[&str]) -> Option<Id> {
        keys.iter().find_map(|key| self.get(key)?.loose_id())
    }

    /// The first of these members that has a text.
    pub(super) fn loose_text_of(self, keys: &[&str]) -> Option<Box<str>> {
        keys.iter().find_map(|key| self.get(key)?.loose_text())
    }
}

/// A prefix or a single address in network form; dotted masks too, which Neutron's API accepts.
pub(super) fn parse_prefix(text: &str) -> Option<IpNet> {
    match text.split_once('/') {
        None => text.parse::<IpAddr>().ok().map(IpNet::from),
        Some((address, mask)) => match text.parse::<IpNet>() {
            Ok(prefix) => Some(prefix.trunc()),
            Err(_) => {
                let prefix = IpNet::with_netmask(address.parse().ok()?, mask.parse().ok()?).ok()?;
                Some(prefix.trunc())
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan;
    use super::*;

    fn prefix(text: &str) -> Option<String> {
        parse_prefix(text).map(|prefix| prefix.to_string())
    }

    #[test]
    fn prefixes_come_out_in_network_form() {
        assert_eq!(prefix("10.1.2.3/8").unwrap(), "10.0.0.0/8");
        assert_eq!(prefix("10.1.2.3").unwrap(), "10.1.2.3/32");
        assert_eq!(prefix("fd00::1").unwrap(), "fd00::1/128");
        assert_eq!(prefix("2001:DB8:0::9/32").unwrap(), "2001:db8::/32");
        assert_eq!(prefix("10.1.2.3/255.255.0.0").unwrap(), "10.1.0.0/16");
        for text in ["", "10.1.2", "10.0.0.0/33", "a/8", "10.0.0.0/", "/8", "10.0.0.0/255.0.255.0"] {
            assert_eq!(prefix(text), None, "{text}");
        }
    }

    #[test]
    fn integers_have_bounds_and_no_fractions() {
        let read = |text: &str| scan(text).unwrap().root().integer(-1, 65535).map_err(|fault| fault.kind);
        assert_eq!(read("65535"), Ok(Some(65535)));
        assert_eq!(read("-1"), Ok(Some(-1)));
        assert_eq!(read("null"), Ok(None));
        assert_eq!(read("65536"), Err(DefectKind::NumberRange));
        assert_eq!(read("99999999999999999999"), Err(DefectKind::NumberRange));
        assert_eq!(read("22.0"), Err(DefectKind::WrongType));
        assert_eq!(read("\"22\""), Err(DefectKind::WrongType));
        assert_eq!(read("true"), Err(DefectKind::WrongType));
    }
}
