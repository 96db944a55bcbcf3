//! Objects and names as the APIs list them: pages of what was read, with the text that each was read from.
//!
//! The network service's objects, Keystone's names and role assignments and the names of servers come from an API or from a file. Either way they reach the model and the
//! journal as an [`ItemPage`], whose text gives the same items when it is read again. Where they come from is not known here.

use super::{Defect, read_assignment, read_named, read_object};
use crate::event::{Assignment, Kind, NameKind, Object};
use crate::ids::Id;

/// What an inventory is made of.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "nearly all are objects, and a box would cost each of them one")]
pub enum Item {
    /// An object of the network service.
    Object(Object),
    /// A user, project, domain, group, role or server.
    Named {
        /// What it is.
        kind: NameKind,
        /// Which one.
        id: Id,
        /// What it is called.
        name: Option<Box<str>>,
    },
    /// Who has a role somewhere.
    Assignment(Assignment),
}

/// Objects with the text that each was read from, by collection: `collection`, tabulator, JSON, newline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemPage {
    /// What was read.
    pub items: Vec<Item>,
    /// The same as text, to be kept.
    pub text: Vec<u8>,
}

impl ItemPage {
    /// Adds one object of a collection; nothing for one that is not known.
    ///
    /// # Errors
    ///
    /// A [`Defect`] as for [`read_object`]; the page is as it was.
    pub fn push(&mut self, collection: &str, json: &str) -> Option<Result<(), Defect>> {
        Some(read_item(collection, json.as_bytes())?.map(|item| {
            self.items.push(item);
            self.text.extend_from_slice(collection.as_bytes());
            self.text.push(b'\t');
            // JSON text needs no line break outside of strings, and in strings it is escaped.
            self.text
                .extend(json.bytes().map(|byte| if byte == b'\n' || byte == b'\r' { b' ' } else { byte }));
            self.text.push(b'\n');
        }))
    }
}

/// Reads one object of a collection; nothing for one that is not known.
pub fn read_item(collection: &str, json: &[u8]) -> Option<Result<Item, Defect>> {
    if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.plural() == collection) {
        return Some(read_object(kind, json).map(Item::Object));
    }
    if collection == Assignment::PLURAL {
        return Some(read_assignment(json).map(Item::Assignment));
    }
    let kind = NameKind::ALL.into_iter().find(|kind| kind.plural() == collection)?;
    Some(read_named(json).map(|(id, name, _)| Item::Named { kind, id, name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pages_text_read_line_by_line_gives_its_items() {
        let mut page = ItemPage::default();
        let port =
            "{\n  \"id\": \"9e1c6f0a-3b0e-4b8c-8f0e-6a0d9f3a7b01\",\r\n  \"description\": \"two\\nlines\"\n}";
        page.push("ports", port).expect("known").expect("sound");
        page.push("users", "{\"id\": \"u1\", \"name\": \"ada\"}").expect("known").expect("sound");
        let lines: Vec<&[u8]> =
            page.text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 2);
        let again: Vec<Item> = lines
            .into_iter()
            .map(|line| {
                let tab = line.iter().position(|&byte| byte == b'\t').expect("each line has one");
                let collection = std::str::from_utf8(&line[..tab]).expect("ASCII");
                read_item(collection, &line[tab + 1..]).expect("known").expect("sound")
            })
            .collect();
        assert_eq!(again, page.items);
    }

    #[test]
    fn what_cannot_be_read_leaves_the_page_as_it_was() {
        let mut page = ItemPage::default();
        assert!(page.push("flavors", "{\"id\": \"f\"}").is_none());
        assert!(page.push("ports", "{\"name\": \"no id\"}").expect("known").is_err());
        assert_eq!(page, ItemPage::default());
    }
}
