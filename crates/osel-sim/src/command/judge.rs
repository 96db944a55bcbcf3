//! `osel-sim judge`: the independent evaluation of a state in a file.

use std::io::Write;
use std::path::Path;

use ipnet::IpNet;
use serde_json::Value;

use super::options::{CommandError, Options};
use crate::files::{read_document, read_lines};
use crate::judge::{self, ReachOptions};

/// Every row of the state.
pub(super) fn rows(words: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let mut options = Options::new(words);
    let (file, mark) = (options.required("--state")?, options.value("--mark")?);
    let region = options.value("--region")?;
    options.finish()?;
    for row in judge::rows(&state(Path::new(file), mark)?, region) {
        writeln!(out, "{row}")?;
    }
    Ok(())
}

/// One answer for each question of the batch.
pub(super) fn reach(words: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let mut options = Options::new(words);
    let (file, mark) = (options.required("--state")?, options.value("--mark")?);
    let batch = options.required("--batch")?;
    let routed: Result<Vec<IpNet>, _> =
        options.values("--routed-prefix")?.into_iter().map(str::parse).collect();
    let reach_options = ReachOptions {
        group_members_include_pairs: !options.flag("--no-pairs"),
        routed_prefixes: routed
            .map_err(|_| CommandError::Usage("`--routed-prefix` is not a prefix".to_owned()))?,
    };
    options.finish()?;
    let state = state(Path::new(file), mark)?;
    for question in read_lines(Path::new(batch))? {
        writeln!(out, "{}", judge::reach(&state, &question, &reach_options))?;
    }
    Ok(())
}

/// The state in a file: an inventory as it is, or the snapshot that `mark` names (else the last).
fn state(path: &Path, mark: Option<&str>) -> Result<Value, CommandError> {
    let is_lines = path.file_name().is_some_and(|name| name.to_string_lossy().contains(".jsonl"));
    let documents = if is_lines { read_lines(path)? } else { vec![read_document(path)?] };
    let found = documents.into_iter().rfind(|document| mark.is_none_or(|mark| document["mark"] == mark));
    let Some(mut document) = found else {
        return Err(CommandError::Usage(format!("`{}` has no such mark", path.display())));
    };
    match document.get_mut("state").map(Value::take) {
        Some(state) => Ok(state),
        None => Ok(document),
    }
}

#[cfg(test)]
mod tests {
    use super::super::run;
    use crate::corpus::directory;

    fn output(words: &[&str]) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut out = Vec::new();
        run(&words, &mut out).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn rows_of_a_mark_are_printed_line_by_line() {
        let file = directory().join("dev-zed.snapshots.jsonl.gz");
        let file = file.to_str().unwrap();
        let before = output(&["judge", "rows", "--state", file, "--mark", "before"]).unwrap();
        let after = output(&["judge", "rows", "--state", file]).unwrap();
        assert!(before.is_empty(), "the cloud was empty at first");
        assert!(after.lines().all(|line| line.starts_with(r#"{"address":"#)) && after.lines().count() > 20);
    }

    #[test]
    fn mistakes_name_what_is_wrong() {
        assert_eq!(output(&["judge", "rows"]).unwrap_err(), "`--state` is missing");
        assert_eq!(output(&["judge", "rows", "--state"]).unwrap_err(), "`--state` needs a value");
        assert_eq!(
            output(&["judge", "rows", "--state", "x", "--odd"]).unwrap_err(),
            "`--odd` is not known here"
        );
        assert!(output(&["judge", "rows", "--state", "/no/such"]).unwrap_err().contains("/no/such"));
    }
}
