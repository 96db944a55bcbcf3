//! Answers and their shapes.

use std::fmt::Write;

/// What is sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// A refusal: its status, its code, what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) u16, pub(super) u32, pub(super) String);

impl Refusal {
    pub(super) fn new(status: u16, code: u32, text: impl Into<String>) -> Self {
        Self(status, code, text.into())
    }

    /// A parameter that is not there.
    pub(super) fn missing(name: &str) -> Self {
        Self::new(400, 1903, format!("Missing required parameter(s): {name}"))
    }

    /// A value that cannot be.
    pub(super) fn invalid(name: &str) -> Self {
        Self::new(400, 1905, format!("parameter {name} has invalid value"))
    }
}

impl Answer {
    /// A document whose inside is `response`. Some of the service's answers end with a comment; these all do.
    pub(super) fn document(root: &str, dtd: &str, response: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n\
             <!DOCTYPE {root} SYSTEM \"https://qualysapi.example/api/2.0/{dtd}\">\n\
             <{root}>\n  <RESPONSE>\n{response}  </RESPONSE>\n</{root}>\n<!-- CONFIDENTIAL. Generated for a test. -->\n"
        );
        Self { status: 200, content_type: "text/xml;charset=UTF-8", headers: Vec::new(), body }
    }

    /// The answer to what changes something.
    pub(super) fn simple(now: &str, text: &str, items: &[(&str, &str)]) -> Self {
        let mut response = format!("    <DATETIME>{now}</DATETIME>\n    <TEXT>{}</TEXT>\n", escaped(text));
        if !items.is_empty() {
            response.push_str("    <ITEM_LIST>\n");
            for (key, value) in items {
                let _ = writeln!(
                    response,
                    "      <ITEM><KEY>{key}</KEY><VALUE>{}</VALUE></ITEM>",
                    escaped(value)
                );
            }
            response.push_str("    </ITEM_LIST>\n");
        }
        Self::document("SIMPLE_RETURN", "simple_return.dtd", &response)
    }

    /// A refusal.
    pub(super) fn refused(now: &str, Refusal(status, code, text): &Refusal) -> Self {
        let response = format!(
            "    <DATETIME>{now}</DATETIME>\n    <CODE>{code}</CODE>\n    <TEXT>{}</TEXT>\n",
            escaped(text)
        );
        Self { status: *status, ..Self::document("SIMPLE_RETURN", "simple_return.dtd", &response) }
    }

    /// What something before the service says.
    pub(super) fn page(status: u16) -> Self {
        let body = format!(
            "<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>{status}</h1><p>nginx</body></html>\n"
        );
        Self { status, content_type: "text/html", headers: Vec::new(), body }
    }

    /// The same with a header.
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// A text as XML has it.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A text as it is, in XML.
pub(super) fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}
