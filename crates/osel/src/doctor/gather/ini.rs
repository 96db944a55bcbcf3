//! Files of oslo.config, read as it reads them.
//!
//! They look like INI files and are not: a key may stand several times (all of its values count for some settings, the last for
//! others), an indented line goes on with the value before it, and nothing after a value is a comment. Libraries for INI files read them otherwise,
//! and so this is its own: a line that cannot be read is skipped, since what matters here is what can.

use zeroize::Zeroizing;

/// A file: its values in the order in which they are written. They may be secrets, and are wiped.
pub(super) struct Ini {
    sections: Vec<String>,
    values: Vec<Setting>,
}

struct Setting {
    section: String,
    key: String,
    value: Zeroizing<String>,
}

impl Ini {
    /// Reads a text.
    pub(super) fn parse(text: &str) -> Self {
        let mut ini = Self { sections: Vec::new(), values: Vec::new() };
        let mut section = "DEFAULT".to_owned();
        let mut is_open = false;
        for line in text.lines().map(str::trim_end) {
            if line.starts_with([' ', '\t']) {
                if let Some(last) = ini.values.last_mut().filter(|_| is_open) {
                    last.value.push('\n');
                    last.value.push_str(line.trim_start());
                }
                continue;
            }
            is_open = false;
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.to_owned();
                ini.sections.push(section.clone());
            } else if !line.starts_with(['#', ';'])
                && let Some(at) = line.find(['=', ':'])
            {
                let (key, value) = (line[..at].trim(), unquoted(line[at + 1..].trim()));
                let value = Zeroizing::new(value.to_owned());
                ini.values.push(Setting { section: section.clone(), key: key.to_owned(), value });
                is_open = true;
            }
        }
        ini
    }

    /// Whether there is such a section.
    pub(super) fn has_section(&self, name: &str) -> bool {
        self.sections.iter().any(|section| section == name)
    }

    /// All values of a key.
    pub(super) fn all(&self, section: &str, key: &str) -> Vec<&str> {
        let is_it = |setting: &&Setting| setting.section == section && setting.key == key;
        self.values.iter().filter(is_it).map(|setting| setting.value.as_str()).collect()
    }

    /// The value of a key that has one.
    pub(super) fn last(&self, section: &str, key: &str) -> Option<&str> {
        self.all(section, key).pop()
    }

    /// Whether a key is set to yes, by one of oslo.config's words.
    pub(super) fn flag(&self, section: &str, key: &str) -> Option<bool> {
        match self.last(section, key)?.to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "yes" => Some(true),
            "false" | "0" | "off" | "no" => Some(false),
            _ => None,
        }
    }
}

/// A value without the quotes around it.
fn unquoted(value: &str) -> &str {
    ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_oslo_config_reads_it() {
        let text = "early = 1\n[DEFAULT]\n# driver = no\nurl = rabbit://u:p=q@h/ # not a comment\nname: a\n\n\
                    [notify]\ndriver = one\ndriver=two\nlist = a,\n  b\n;c = 1\n  lost\nquoted = \"x y\"\nno sign\n\
                    [oslo]\non = Yes\noff = 0\nodd = maybe\nempty =\n";
        let ini = Ini::parse(text);
        assert_eq!(ini.last("DEFAULT", "early"), Some("1"));
        assert_eq!(ini.last("DEFAULT", "url"), Some("rabbit://u:p=q@h/ # not a comment"));
        assert_eq!(ini.last("DEFAULT", "name"), Some("a"));
        assert_eq!(
            (ini.all("notify", "driver"), ini.last("notify", "driver")),
            (vec!["one", "two"], Some("two"))
        );
        assert_eq!((ini.last("notify", "list"), ini.last("notify", "quoted")), (Some("a,\nb"), Some("x y")));
        assert_eq!(ini.flag("oslo", "on").zip(ini.flag("oslo", "off")), Some((true, false)));
        assert_eq!((ini.flag("oslo", "odd"), ini.last("oslo", "empty")), (None, Some("")));
        assert!(ini.has_section("notify") && !ini.has_section("other"));
    }
}
