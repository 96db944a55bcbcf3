//! Reading of XML that scanners send, as it comes in and within limits: answers of services and of programs are not to be trusted.
//!
//! [`Xml`] gives one element after the other to code that descends as the document does. It never builds a tree, never fetches anything,
//! and knows no entities but the five of XML and numbers of characters: a document type with declarations of its own is refused, the
//! plain one that names a file (nmap, Qualys) is passed over. What is refused, and why, is a [`Fault`].
//!
//! ```
//! use osel::action::xml::{Limits, Xml};
//!
//! let mut xml = Xml::new(&b"<scans><scan id='7'>done &amp; fetched</scan><note/></scans>"[..], Limits::default());
//! let scans = xml.root(&["scans"])?;
//! while let Some(child) = xml.child(&scans)? {
//!     match child.name() {
//!         "scan" => {
//!             assert_eq!(child.number::<u32>("id"), Some(7));
//!             assert_eq!(xml.text(&child)?, "done & fetched");
//!         }
//!         _ => {} // Passed over with everything below it.
//!     }
//! }
//! xml.finish()?;
//! # Ok::<(), osel::action::xml::XmlError>(())
//! ```

mod bounded;
mod element;
mod fault;
mod reader;
#[cfg(test)]
mod tests;

pub use element::Element;
pub use fault::{Fault, XmlError};
pub use reader::{Limits, Xml};
