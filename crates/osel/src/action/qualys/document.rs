//! The documents of the API: what changes something, scans, sets of addresses, appliances.
//!
//! Each may turn out to be a `SIMPLE_RETURN` with a refusal instead, whatever its status.

use osel_core::scan::{TEXT_CHARS_MAX, cut};

use super::addresses::Ranges;
use crate::action::xml::{Element, Limits, Xml, XmlError};

/// The largest document: a list of ten thousand scans with their targets has some.
pub(super) const DOCUMENT_BYTES_MAX: usize = 16 << 20;
/// The longest piece: the targets of one scan of some thousand addresses.
const PIECE_BYTES_MAX: usize = 1 << 20;
/// Items of one answer: it has two.
const ITEMS_MAX: usize = 100;
/// Appliances of one list; large subscriptions have some hundreds.
const APPLIANCES_MAX: usize = 10_000;
/// The longest URL of a further part of a list.
const URL_CHARS_MAX: usize = 4096;

/// The document of whatever changes something, and of every refusal.
const SIMPLE: &str = "SIMPLE_RETURN";

/// What `SIMPLE_RETURN` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Simple {
    /// Only in refusals.
    pub(super) code: Option<u32>,
    pub(super) text: String,
    pub(super) items: Vec<(String, String)>,
}

/// A scan of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) reference: String,
    pub(super) title: String,
    pub(super) state: String,
    pub(super) sub_state: String,
    /// What it scans.
    pub(super) target: String,
}

/// A part of a list, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Listed<T> {
    /// What was in it, and the URL of what follows.
    Part(T, Option<String>),
    /// There is none.
    Simple(Simple),
}

/// Reads a `SIMPLE_RETURN`.
///
/// # Errors
/// When it is none.
pub(super) fn simple(body: &[u8]) -> Result<Simple, XmlError> {
    let mut xml = reader(body);
    let root = xml.root(&[SIMPLE])?;
    let simple = simple_within(&mut xml, &root)?;
    xml.finish()?;
    Ok(simple)
}

/// Reads a list of scans; each is shown to `each`.
///
/// # Errors
/// When it is none.
pub(super) fn scans(body: &[u8], mut each: impl FnMut(Scan)) -> Result<Listed<()>, XmlError> {
    listed(body, "SCAN_LIST_OUTPUT", "SCAN_LIST", &mut (), |xml, element, ()| {
        if element.name() == "SCAN" {
            each(scan(xml, element)?);
        }
        Ok(())
    })
}

/// Reads a set of addresses.
///
/// # Errors
/// When it is none.
pub(super) fn address_set(body: &[u8]) -> Result<Listed<Ranges>, XmlError> {
    let mut all = Ranges::default();
    let listed = listed(body, "IP_LIST_OUTPUT", "IP_SET", &mut all, |xml, element, all| {
        if matches!(element.name(), "IP" | "IP_RANGE") {
            all.add(&xml.text(element)?);
        }
        Ok(())
    })?;
    Ok(match listed {
        Listed::Part((), next) => Listed::Part(all, next),
        Listed::Simple(simple) => Listed::Simple(simple),
    })
}

/// Reads a list of appliances: their names, and whether each is connected.
///
/// # Errors
/// When it is none.
pub(super) fn appliances(body: &[u8]) -> Result<Listed<Vec<(String, bool)>>, XmlError> {
    let mut all = Vec::new();
    let listed = listed(body, "APPLIANCE_LIST_OUTPUT", "APPLIANCE_LIST", &mut all, |xml, element, all| {
        let (mut name, mut is_online) = (String::new(), false);
        while let Some(child) = xml.child(element)? {
            match child.name() {
                "NAME" => name = xml.text(&child)?,
                "STATUS" => is_online = xml.text(&child)?.eq_ignore_ascii_case("online"),
                _ => {}
            }
        }
        if all.len() < APPLIANCES_MAX {
            all.push((name, is_online));
        }
        Ok(())
    })?;
    Ok(match listed {
        Listed::Part((), next) => Listed::Part(all, next),
        Listed::Simple(simple) => Listed::Simple(simple),
    })
}

fn reader(body: &[u8]) -> Xml<&[u8]> {
    Xml::new(body, Limits { bytes: DOCUMENT_BYTES_MAX as u64, piece_bytes: PIECE_BYTES_MAX })
}

/// Reads a document whose `RESPONSE` has a list; each element of that is shown to `each`.
fn listed<T>(
    body: &[u8],
    root: &str,
    list: &str,
    all: &mut T,
    mut each: impl FnMut(&mut Xml<&[u8]>, &Element, &mut T) -> Result<(), XmlError>,
) -> Result<Listed<()>, XmlError> {
    let mut xml = reader(body);
    let outermost = xml.root(&[root, SIMPLE])?;
    if outermost.name() == SIMPLE {
        let simple = simple_within(&mut xml, &outermost)?;
        xml.finish()?;
        return Ok(Listed::Simple(simple));
    }
    let mut next = None;
    while let Some(response) = xml.child(&outermost)? {
        if response.name() != "RESPONSE" {
            continue;
        }
        while let Some(part) = xml.child(&response)? {
            if part.name() == list {
                while let Some(element) = xml.child(&part)? {
                    each(&mut xml, &element, all)?;
                }
            } else if part.name() == "WARNING" {
                next = warning(&mut xml, &part)?.or(next);
            }
        }
    }
    xml.finish()?;
    Ok(Listed::Part((), next))
}

fn scan(xml: &mut Xml<&[u8]>, element: &Element) -> Result<Scan, XmlError> {
    let mut scan = Scan::default();
    while let Some(child) = xml.child(element)? {
        match child.name() {
            "REF" => scan.reference = xml.text(&child)?,
            "TITLE" => scan.title = xml.text(&child)?,
            "TARGET" => scan.target = xml.text(&child)?,
            "STATUS" => {
                while let Some(status) = xml.child(&child)? {
                    match status.name() {
                        "STATE" => scan.state = xml.text(&status)?,
                        "SUB_STATE" => scan.sub_state = xml.text(&status)?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(scan)
}

/// The URL of what follows a part of a list.
fn warning(xml: &mut Xml<&[u8]>, element: &Element) -> Result<Option<String>, XmlError> {
    let mut url = None;
    while let Some(child) = xml.child(element)? {
        if child.name() == "URL" {
            url = Some(xml.text(&child)?).filter(|url| !url.is_empty() && url.len() <= URL_CHARS_MAX);
        }
    }
    Ok(url)
}

fn simple_within(xml: &mut Xml<&[u8]>, root: &Element) -> Result<Simple, XmlError> {
    let mut simple = Simple::default();
    while let Some(response) = xml.child(root)? {
        if response.name() != "RESPONSE" {
            continue;
        }
        while let Some(part) = xml.child(&response)? {
            match part.name() {
                "CODE" => simple.code = xml.text(&part)?.parse().ok().or(simple.code),
                "TEXT" => simple.text = xml.text(&part)?,
                "ITEM_LIST" => {
                    while let Some(item) = xml.child(&part)? {
                        let item = item_within(xml, &item)?;
                        if simple.items.len() < ITEMS_MAX {
                            simple.items.push(item);
                        }
                    }
                }
                _ => {}
            }
        }
    }
    Ok(simple)
}

fn item_within(xml: &mut Xml<&[u8]>, item: &Element) -> Result<(String, String), XmlError> {
    let (mut key, mut value) = (String::new(), String::new());
    while let Some(child) = xml.child(item)? {
        match child.name() {
            "KEY" => key = cut(&xml.text(&child)?, TEXT_CHARS_MAX),
            "VALUE" => value = cut(&xml.text(&child)?, TEXT_CHARS_MAX),
            _ => {}
        }
    }
    Ok((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" ?>
        <!DOCTYPE SIMPLE_RETURN SYSTEM "https://qualysapi.example/api/2.0/simple_return.dtd">"#;

    #[test]
    fn a_launch_is_answered_by_keys_and_values() {
        let body = format!(
            "{HEAD}<SIMPLE_RETURN><RESPONSE><DATETIME>2026-02-02T14:28:35Z</DATETIME><TEXT>New vm scan launched</TEXT>\
             <ITEM_LIST><ITEM><KEY>ID</KEY><VALUE>123</VALUE></ITEM><ITEM><KEY>REFERENCE</KEY>\
             <VALUE>scan/1486045714.48615</VALUE></ITEM></ITEM_LIST></RESPONSE></SIMPLE_RETURN><!-- the end -->"
        );
        let items = [("ID", "123"), ("REFERENCE", "scan/1486045714.48615")];
        let wanted = Simple {
            code: None,
            text: "New vm scan launched".to_owned(),
            items: items.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        };
        assert_eq!(simple(body.as_bytes()).unwrap(), wanted);
    }

    #[test]
    fn a_list_may_be_empty_or_a_refusal_or_go_on_elsewhere() {
        let read = |text: &str| {
            let mut found = Vec::new();
            let listed = scans(text.as_bytes(), |scan| found.push(scan)).unwrap();
            (listed, found)
        };
        let none = "<SCAN_LIST_OUTPUT><RESPONSE><DATETIME>x</DATETIME></RESPONSE></SCAN_LIST_OUTPUT>";
        assert_eq!(read(none), (Listed::Part((), None), Vec::new()));
        let refusal = "<SIMPLE_RETURN><RESPONSE><CODE>1905</CODE><TEXT>no</TEXT></RESPONSE></SIMPLE_RETURN>";
        let simple = Simple { code: Some(1905), text: "no".to_owned(), items: Vec::new() };
        assert_eq!(read(refusal), (Listed::Simple(simple), Vec::new()));
        let one = "<SCAN_LIST_OUTPUT><RESPONSE><SCAN_LIST><SCAN><REF>scan/1.2</REF><TITLE><![CDATA[a & b]]></TITLE>\
                   <STATUS><STATE>Finished</STATE><SUB_STATE>No_Host</SUB_STATE></STATUS><TARGET><![CDATA[10.0.0.1]]></TARGET>\
                   </SCAN></SCAN_LIST><WARNING><CODE>1980</CODE><URL><![CDATA[https://q.example/?id_min=7]]></URL></WARNING>\
                   </RESPONSE></SCAN_LIST_OUTPUT>";
        let scan = Scan {
            reference: "scan/1.2".to_owned(),
            title: "a & b".to_owned(),
            state: "Finished".to_owned(),
            sub_state: "No_Host".to_owned(),
            target: "10.0.0.1".to_owned(),
        };
        assert_eq!(read(one), (Listed::Part((), Some("https://q.example/?id_min=7".to_owned())), vec![scan]));
    }

    #[test]
    fn addresses_and_appliances_are_read() {
        let set = "<IP_LIST_OUTPUT><RESPONSE><IP_SET><IP network_id=\"0\">192.0.2.1</IP><IP_RANGE>10.0.0.1-10.0.0.9</IP_RANGE>\
                   </IP_SET></RESPONSE></IP_LIST_OUTPUT>";
        let Listed::Part(ranges, None) = address_set(set.as_bytes()).unwrap() else {
            panic!("it is one part")
        };
        assert_eq!(ranges, Ranges::of("192.0.2.1 10.0.0.1-10.0.0.9"));
        let list = "<APPLIANCE_LIST_OUTPUT><RESPONSE><APPLIANCE_LIST><APPLIANCE><NAME>a</NAME><STATUS>Online</STATUS></APPLIANCE>\
                    <APPLIANCE><NAME>b</NAME><STATUS>Offline</STATUS></APPLIANCE></APPLIANCE_LIST></RESPONSE></APPLIANCE_LIST_OUTPUT>";
        let wanted = vec![("a".to_owned(), true), ("b".to_owned(), false)];
        assert_eq!(appliances(list.as_bytes()).unwrap(), Listed::Part(wanted, None));
    }
}
