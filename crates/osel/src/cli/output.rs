//! Printing: JSON Lines, tables that fit, errors with their causes, progress for people.

use std::fmt::{self, Display, Write as _};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use osel_core::format::{harmless, line_ends_escaped};
use serde::Serialize;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Table,
    /// JSON Lines: one object per line.
    Json,
    /// Comma-separated values with a head line.
    Csv,
}

/// How one thing is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ShowFormat {
    /// For people.
    #[default]
    #[value(alias = "table")]
    Text,
    /// One JSON object.
    Json,
}

/// An error that is the caller's: exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Wrong usage or configuration.
    #[error("{0}")]
    Usage(String),
}

/// Prints an error with its causes and gives its exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if is_enough(error) {
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(io::stderr(), "osel: {}", in_one_line(error));
    exit_code(error)
}

/// The exit code of an error.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<Failure>().is_some() { ExitCode::from(2) } else { ExitCode::from(3) }
}

/// An error and its causes. What is read is named by errors of its own, so that a bare one of the system's is about our output.
pub fn in_one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    if error.chain().next().is_some_and(|top| top.is::<io::Error>()) {
        text.push_str("cannot write the output: ");
    }
    let mut before = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !before.is_empty() {
            // Some libraries say the same at each level.
            if cause.ends_with(&before) {
                continue;
            }
            text.push_str(": ");
        }
        text.push_str(&cause);
        before = cause;
    }
    // Some name a file or quote its content: neither may break the line.
    plain(&text)
}

/// Whether it is no failure at all: whoever read our output has enough of it. The broken pipe of anything else is one.
fn is_enough(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(is_reader_gone)
}

fn is_reader_gone(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<ReaderGone>())
}

/// Standard output leads to a pipe that nobody reads any more.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
struct ReaderGone;

/// The exit code of an answer that was written, or whose reader went away: also then a no must not look like a yes.
///
/// # Errors
/// When it could not be written otherwise.
pub fn answered(written: io::Result<()>, code: ExitCode) -> anyhow::Result<ExitCode> {
    match written {
        Err(error) if !is_reader_gone(&error) => Err(error.into()),
        _ => Ok(code),
    }
}

/// Says something to the person at the terminal, beside the results.
pub fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints bytes as they are.
///
/// # Errors
/// When standard output cannot be written.
pub fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = stdout();
    out.write_all(bytes)?;
    out.flush()
}

/// Standard output, buffered.
pub fn stdout() -> io::BufWriter<Stdout<io::StdoutLock<'static>>> {
    io::BufWriter::with_capacity(1 << 16, Stdout(io::stdout().lock()))
}

/// Tells its own broken pipe from that of a socket or a child.
#[derive(Debug)]
pub struct Stdout<W>(W);

impl<W: Write> Write for Stdout<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(own)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(own)
    }
}

fn own(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, ReaderGone),
        _ => error,
    }
}

/// Writes one JSON line.
///
/// # Errors
/// When it cannot be written.
pub fn json_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = line_ends_escaped(serde_json::to_vec(value)?);
    line.push(b'\n');
    out.write_all(&line)
}

/// The width that tables have to fit: contract §5.
pub(super) const TABLE_WIDTH: usize = 100;
/// Tables are not made narrower than this, however narrow the terminal: nobody could read them.
const TABLE_WIDTH_MIN: usize = 40;

/// How wide a table may be: it fits a narrower terminal too.
fn table_width() -> usize {
    let out = io::stdout();
    let columns = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten();
    fitting(columns.map(|size| size.ws_col))
}

/// A terminal that does not know its size says 0.
fn fitting(columns: Option<u16>) -> usize {
    columns
        .filter(|&columns| columns > 0)
        .map_or(TABLE_WIDTH, |columns| usize::from(columns).clamp(TABLE_WIDTH_MIN, TABLE_WIDTH))
}

/// A table whose columns are as wide as they need to be; the widest give way when it would not fit.
#[derive(Debug)]
pub struct Table {
    width: usize,
    head: Vec<&'static str>,
    /// The columns that do not give way as long as others can.
    kept: &'static [&'static str],
    /// From which column on a row goes on in a line of its own, where it would not fit.
    folded: Option<usize>,
    /// Whether that is done, once some of it was written.
    is_folded: Option<bool>,
    /// The column that is cut before anything else is done to make a row fit, and how narrow it may get by that.
    gives: Option<(usize, usize)>,
    /// The last column goes on in lines below instead of being cut.
    wraps: bool,
    rows: Vec<Vec<String>>,
    /// How wide the columns are, once some of it was written.
    widths: Option<Vec<usize>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(head: &[&'static str]) -> Self {
        Self {
            width: table_width(),
            head: head.to_vec(),
            kept: &[],
            folded: None,
            is_folded: None,
            gives: None,
            wraps: false,
            rows: Vec::new(),
            widths: None,
        }
    }

    /// The same, with columns of these names being cut only when cutting all others does not suffice.
    pub fn keeping(self, kept: &'static [&'static str]) -> Self {
        Self { kept, ..self }
    }

    /// The same, with rows going on from this column on in a line of their own, in all of a table in which anything would have to be cut.
    /// The last column is told in full there, on as many lines as that takes. Of a table that is written bit by bit the first rows decide.
    pub fn folding(self, column: &str) -> Self {
        let folded = self.head.iter().position(|name| *name == column);
        Self { folded, ..self }
    }

    /// The same, with this column being cut down to so many characters where that is enough for all rows to fit as they are otherwise.
    pub fn giving(self, column: &str, least: usize) -> Self {
        let gives = self.head.iter().position(|name| *name == column).map(|column| (column, least));
        Self { gives, ..self }
    }

    /// The same, with the last column being told in full, on as many lines as that takes.
    pub fn wrapping(self) -> Self {
        Self { wraps: true, ..self }
    }

    /// Adds a row with one text per column.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Writes its rows and forgets them, so that more can follow: columns that are kept never get narrower.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_rows(&mut self, out: &mut impl Write) -> io::Result<()> {
        let is_folded = self.fold().is_some();
        write!(out, "{self}")?;
        self.widths = Some(self.widths_now());
        self.is_folded = Some(is_folded);
        self.rows.clear();
        Ok(())
    }
}

impl Table {
    /// How wide the columns are with the rows that it has now; a number that grows must not be cut.
    fn widths_now(&self) -> Vec<usize> {
        let before = self.widths.clone().unwrap_or_default();
        let natural = widths((&self.head, &before), self.kept, &self.rows, usize::MAX);
        self.given_way(natural)
            .unwrap_or_else(|| widths((&self.head, &before), self.kept, &self.rows, self.width))
    }

    /// These widths with the column that gives way first being as narrow as it has to be, where that is enough.
    fn given_way(&self, mut widths: Vec<usize>) -> Option<Vec<usize>> {
        let over = whole(&widths).saturating_sub(self.width);
        let (column, least) = self.gives?;
        let width = widths.get_mut(column)?;
        *width = width.checked_sub(over).filter(|left| *left >= least)?;
        Some(widths)
    }
}

/// A column is not made narrower than this for the sake of one that is kept: less says nothing.
const CUT_MIN: usize = 4;

/// How wide columns are together, with the gaps between them.
fn whole(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)
}

/// How wide columns have to be, and may be.
fn widths(
    (head, before): (&[&str], &[usize]),
    kept: &[&str],
    rows: &[Vec<String>],
    width: usize,
) -> Vec<usize> {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for (width, before) in widths.iter_mut().zip(before) {
        *width = (*width).max(*before);
    }
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    while whole(&widths) > width {
        let gives_way = |(name, width): &(&&str, &mut usize)| !kept.contains(*name) && **width > CUT_MIN;
        let others = head.iter().zip(widths.iter_mut()).filter(gives_way);
        let widest = others.map(|(_, width)| width).max_by_key(|width| **width);
        match widest {
            Some(width) => *width -= 1,
            None => match widths.iter_mut().max() {
                Some(width) => *width -= 1,
                None => break,
            },
        }
    }
    widths
}

impl Table {
    /// The lines of a row in columns of these widths.
    fn lines(&self, widths: &[usize], row: &[String]) -> Vec<String> {
        let (Some((width, others)), Some((last, cells)), true) =
            (widths.split_last(), row.split_last(), self.wraps)
        else {
            return vec![line(widths, row)];
        };
        let mut begin = line(others, cells);
        let indent = begin.chars().count();
        let begun = |words| format!("{}{words}", std::mem::replace(&mut begin, " ".repeat(indent)));
        wrapped(&plain(last), *width).into_iter().map(begun).collect()
    }

    /// The column where rows are folded, if they have to be.
    fn fold(&self) -> Option<usize> {
        if let Some(is_folded) = self.is_folded {
            return self.folded.filter(|_| is_folded);
        }
        let natural = widths((&self.head, &[]), self.kept, &self.rows, usize::MAX);
        let fits = whole(&natural) <= self.width || self.given_way(natural).is_some();
        self.folded.filter(|_| !fits)
    }

    fn fmt_folded(&self, f: &mut fmt::Formatter<'_>, column: usize) -> fmt::Result {
        let part = |cells: &[String], upper: bool| {
            let (above, below) = cells.split_at(column.min(cells.len()));
            if upper {
                above.to_vec()
            } else {
                below.split_last().map(|(_, cells)| cells.to_vec()).unwrap_or_default()
            }
        };
        let (above, below) = self.head.split_at(column);
        let rows = |upper| self.rows.iter().map(|row| part(row, upper)).collect::<Vec<_>>();
        let above_widths = widths((above, &[]), self.kept, &rows(true), self.width);
        let below_head = below.split_last().map(|(_, names)| names).unwrap_or_default();
        // What the text needs that is told in full, and of a long one half of the line.
        let lasts = self.rows.iter().filter_map(|row| row.last()).map(|cell| cell.chars().count());
        let needed = lasts.chain(below.last().map(|name| name.len())).max().unwrap_or_default()
            + FOLD_INDENT.len()
            + 2;
        let below_widths =
            widths((below_head, &[]), self.kept, &rows(false), self.width - needed.min(self.width / 2));
        let head: Vec<String> = self.head.iter().map(|cell| (*cell).to_owned()).collect();
        let is_first = self.widths.is_none();
        for (number, row) in std::iter::once(&head).chain(&self.rows).enumerate().skip(usize::from(!is_first))
        {
            let mut lines = vec![line(&above_widths, &part(row, true))];
            let mut begin = format!("{FOLD_INDENT}{}", line(&below_widths, &part(row, false)));
            let indent = begin.chars().count();
            for words in wrapped(&plain(row.last().map_or("", String::as_str)), self.width - indent) {
                lines.push(format!("{begin}{words}"));
                begin = " ".repeat(indent);
            }
            for line in lines {
                let line = line.trim_end();
                match number == 0 && colours() {
                    true => writeln!(f, "\x1b[1m{line}\x1b[0m")?,
                    false => writeln!(f, "{line}")?,
                }
            }
        }
        Ok(())
    }
}

/// What the second line of a row begins with.
const FOLD_INDENT: &str = "    ";

/// Cells in columns of these widths, each with the gap that follows it.
fn line(widths: &[usize], cells: &[String]) -> String {
    let mut line = String::new();
    for (&width, cell) in widths.iter().zip(cells) {
        let cell = cut(cell, width);
        let _ = write!(line, "{cell:width$}  ");
    }
    line
}

/// A text in lines of at most this width, broken at spaces, or anywhere in a word that is longer; at least one line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut room = width;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        let gap = usize::from(room < width);
        if gap + length > room && gap > 0 {
            lines.push(String::new());
            room = width;
        } else if gap > 0 {
            lines.last_mut().into_iter().for_each(|line| line.push(' '));
            room -= 1;
        }
        for c in word.chars() {
            if room == 0 {
                lines.push(String::new());
                room = width;
            }
            lines.last_mut().into_iter().for_each(|line| line.push(c));
            room -= 1;
        }
    }
    lines
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(column) = self.fold() {
            return self.fmt_folded(f, column);
        }
        let is_first = self.widths.is_none();
        let widths = self.widths_now();
        let head: Vec<String> = self.head.iter().map(|cell| (*cell).to_owned()).collect();
        for (number, row) in std::iter::once(&head).chain(&self.rows).enumerate().skip(usize::from(!is_first))
        {
            for line in self.lines(&widths, row) {
                let line = line.trim_end();
                if number == 0 && colours() {
                    writeln!(f, "\x1b[1m{line}\x1b[0m")?;
                } else {
                    writeln!(f, "{line}")?;
                }
            }
        }
        Ok(())
    }
}

/// A text cut to a number of characters, with a sign that it was.
pub(super) fn cut(text: &str, width: usize) -> String {
    let one_line = plain(text);
    if one_line.chars().count() <= width {
        return one_line;
    }
    one_line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A text of a scanner or the bus on one line, harmless to terminals.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// Whether standard output takes colours: a terminal, and nobody said no.
pub fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// How often a sign of work moves, in milliseconds.
const TICK_MILLISECONDS: u64 = 100;

/// A sign on the terminal's standard error that something is being done which has no steps to count; hidden elsewhere. To be cleared before
/// anything is printed.
pub fn working(what: &'static str) -> indicatif::ProgressBar {
    let bar = progress(what);
    if let Ok(style) = indicatif::ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(TICK_MILLISECONDS));
    bar
}

/// A bar on the terminal's standard error; hidden elsewhere.
pub fn progress(what: &'static str) -> indicatif::ProgressBar {
    bar(what, None, "{spinner} {msg} {human_pos} ({rate}/s, {elapsed})")
}

/// The same, where it is known how many there are.
pub fn progress_of(what: &'static str, all: u64) -> indicatif::ProgressBar {
    bar(what, Some(all), "{spinner} {msg} {human_pos} of {human_len}, {percent} % ({rate}/s, {elapsed})")
}

fn bar(what: &'static str, all: Option<u64>, template: &str) -> indicatif::ProgressBar {
    let bar = match all {
        None => indicatif::ProgressBar::new_spinner(),
        Some(all) => indicatif::ProgressBar::new(all),
    };
    if !io::stderr().is_terminal() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    if let Ok(style) = indicatif::ProgressStyle::with_template(template) {
        bar.set_style(style.with_key(
            "rate",
            |state: &indicatif::ProgressState, out: &mut dyn fmt::Write| {
                let _ = out.write_str(&rate(state.per_sec()));
            },
        ));
    }
    bar.set_message(what);
    bar
}

/// So many in a second, as people read it: whole ones, but for less than ten.
fn rate(per_second: f64) -> String {
    if per_second < 10.0 {
        format!("{per_second:.1}")
    } else {
        indicatif::HumanCount(per_second as u64).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_fit() {
        let mut table = Table::new(&["short", "long"]);
        table.row(vec!["a".into(), "x".repeat(300)]);
        let text = table.to_string();
        assert!(text.lines().all(|line| line.chars().count() <= TABLE_WIDTH), "{text}");
        assert!(text.contains('…'));

        table.width = fitting(Some(60));
        let text = table.to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 60) && text.contains('…'), "{text}");
        assert_eq!([None, Some(0), Some(3), Some(300)].map(fitting), [100, 100, TABLE_WIDTH_MIN, 100]);
    }

    #[test]
    fn rows_that_do_not_fit_go_on_below_and_say_all_of_it() {
        let mut table = Table { width: 30, ..Table::new(&["id", "where", "what"]) }.folding("where");
        table.row(["1", "here", "short"].map(str::to_owned).to_vec());
        assert_eq!(table.to_string(), "id  where  what\n1   here   short\n");
        table.row(
            ["2", "there", "more words than one line holds, andonethatislongerthanaline"]
                .map(str::to_owned)
                .to_vec(),
        );
        let wanted = "id\n    where  what\n1\n    here   short\n2\n    there  more words than one\n           line holds,\n           \
                      andonethatislongert\n           hanaline\n";
        assert_eq!(table.to_string(), wanted);
        assert!(table.to_string().lines().all(|line| line.chars().count() <= 30));
    }

    #[test]
    fn a_folded_table_that_is_written_bit_by_bit_stays_folded() {
        let mut table =
            Table { width: 30, ..Table::new(&["what", "when", "by"]) }.keeping(&["when"]).folding("when");
        let mut written = Vec::new();
        for what in ["one that is as long as a line", "short"] {
            table.row([what, "2026-11-21T00:00:05", "eve"].map(str::to_owned).to_vec());
            table.write_rows(&mut written).unwrap();
        }
        let wanted = "what\n    when                 by\none that is as long as a line\n    2026-11-21T00:00:05  eve\nshort\n    \
                      2026-11-21T00:00:05  eve\n";
        assert_eq!(String::from_utf8(written).unwrap(), wanted);
    }

    #[test]
    fn a_column_gives_way_before_rows_are_folded() {
        let table = |width, id: &str| {
            let mut table = Table { width, ..Table::new(&["of", "what"]) }.folding("what").giving("of", 4);
            table.row([id, "words"].map(str::to_owned).to_vec());
            table.to_string()
        };
        assert_eq!(table(13, "123456"), "of      what\n123456  words\n");
        assert_eq!(table(11, "123456"), "of    what\n123…  words\n");
        assert_eq!(table(10, "123456"), "of\n    what\n123456\n    words\n");
        // What is narrower than that already is no reason to fold what fits.
        assert_eq!(table(13, "1"), "of  what\n1   words\n");
    }

    #[test]
    fn a_last_column_that_wraps_is_said_in_full() {
        let mut table = Table { width: 16, ..Table::new(&["id", "what"]) }.wrapping();
        table.row(["7", "tcp 22 from anywhere"].map(str::to_owned).to_vec());
        let mut out = Vec::new();
        table.write_rows(&mut out).unwrap();
        table.row(["8", "ok"].map(str::to_owned).to_vec());
        table.write_rows(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "id  what\n7   tcp 22 from\n    anywhere\n8   ok\n");
    }

    #[test]
    fn rates_are_round() {
        assert_eq!(
            [0.0, 2.345, 9.99, 7002.7103, 1e7].map(rate),
            ["0.0", "2.3", "10.0", "7,002", "10,000,000"]
        );
        let shown = progress_of("records", 4);
        shown.inc(1);
        assert_eq!((shown.position(), shown.length()), (1, Some(4)));
    }

    #[test]
    fn what_is_kept_gives_way_last() {
        let mut table = Table::new(&["what", "when"]).keeping(&["when"]);
        table.row(vec!["x".repeat(60), "t".repeat(80)]);
        assert!(table.to_string().contains(&"t".repeat(80)));
        table.row(vec!["x".repeat(60), "t".repeat(300)]);
        let text = table.to_string();
        assert!(text.lines().all(|line| line.chars().count() <= TABLE_WIDTH), "{text}");
    }

    #[test]
    fn rows_that_come_later_stand_below_the_first() {
        let mut table = Table::new(&["a", "b"]);
        let mut out = Vec::new();
        // A column grows: a number that was cut would be of no use.
        for cells in [["long", "x"], ["s", "y"], ["longer", "z"], ["s", "y"]] {
            table.row(cells.map(String::from).to_vec());
            table.write_rows(&mut out).unwrap();
            assert!(table.is_empty());
        }
        assert_eq!(String::from_utf8(out).unwrap(), "a     b\nlong  x\ns     y\nlonger  z\ns       y\n");
    }

    #[test]
    fn an_error_is_one_line_that_says_each_thing_once() {
        let twice = anyhow::anyhow!("Error code 13: disk is full")
            .context("disk is full")
            .context("no space for `a\nb`");
        assert_eq!(in_one_line(&twice), "no space for `a b`: disk is full");
        let bare = anyhow::Error::from(io::Error::other("no space"));
        assert_eq!(in_one_line(&bare), "cannot write the output: no space");
        assert_eq!(in_one_line(&bare.context("cannot open `x`")), "cannot open `x`: no space");
    }

    #[test]
    fn the_broken_pipe_of_a_socket_looked_like_a_reader_who_has_enough() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let ours = || json_line(&mut Stdout(Gone), &"text").unwrap_err();
        assert!(is_enough(&ours().into()) && is_enough(&anyhow::Error::from(ours()).context("printing")));
        let socket = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(!is_enough(&anyhow::Error::from(socket).context("cannot ask the scanner")));
        assert!(!is_enough(&io::Error::from(io::ErrorKind::BrokenPipe).into()));
        // An answer keeps its exit code.
        let no = ExitCode::from(1);
        assert_eq!(format!("{:?}", answered(Err(ours()), no).unwrap()), format!("{no:?}"));
        assert!(answered(Err(io::ErrorKind::BrokenPipe.into()), no).is_err());
    }

    #[test]
    fn control_characters_of_the_bus_do_not_reach_the_terminal() {
        assert_eq!(cut("a\x1b[31mb\nc", 20), "a [31mb c");
    }
}
