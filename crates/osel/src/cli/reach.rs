//! `osel reach`: would this packet be admitted, and by which way.
//!
//! Reads questions, asks the core, prints answers. What makes a packet reachable is not decided here but in
//! `osel_core::exposure`; how an answer looks to a person is in `chain`.

pub(super) mod chain;
mod servers;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use osel_core::engine::EngineOptions;
use osel_core::exposure::{Question, Verdict, VerdictDocument, reach_any, read_question};
use osel_core::ids::Id;
use serde_json::json;

use super::StoreArg;
use super::open::{as_usage, moment, state_at};
use super::output::{Failure, answered, json_line, stdout};
use crate::runtime::past::{Asked, Excerpt, Timeline};
use crate::source::recording::BYTE_ORDER_MARK;
use crate::store::Reader;

/// The longest line of a batch: a question has some 200 bytes, labels beside it may have more.
const LINE_BYTES_MAX: usize = 1 << 16;

/// Says whether a packet would be admitted, by which way, or what stops it.
///
/// Exit code 0: reachable; 1: not reachable. The sender's own egress rules are not asked. With --batch every
/// line of a file is a question, answered in order, one line each; then the exit code is 0 whatever the
/// answers are. A line that is no question is answered in its place by {"error","line"}, and the exit code
/// is 2 in the end. Other keys of a line are labels, unless one is nearly the name of a key that the line does
/// not have.
#[derive(Debug, Args)]
pub struct ReachArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The state after a record, by its number, or at a time (RFC 3339). For a batch all of it is read.
    #[arg(long, value_name = "SEQ|TIME")]
    at: Option<String>,
    /// The sender's address.
    #[arg(long, value_name = "IP", required_unless_present = "batch")]
    from: Option<IpAddr>,
    /// The address that the packet is sent to.
    #[arg(long, value_name = "IP", required_unless_present = "batch")]
    to: Option<IpAddr>,
    /// Its protocol, by name or number; `any` for some protocol.
    #[arg(long, value_name = "P", required_unless_present = "batch", allow_hyphen_values = true)]
    protocol: Option<String>,
    /// Its port, or ICMP type; without it: whether any is admitted.
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Its ICMP code; without it: whether any is admitted.
    #[arg(long, value_name = "N")]
    icmp_code: Option<u8>,
    /// Only ports on this network: projects reuse addresses.
    #[arg(long, value_name = "ID")]
    network: Option<String>,
    /// Only this port.
    #[arg(long, value_name = "ID")]
    port_id: Option<String>,
    /// Answers the questions of a file, or of standard input (-): JSON Lines {"from","to","protocol","port"},
    /// each also with "icmp_code", "network" and "port_id" where wanted.
    #[arg(
        long,
        value_name = "FILE|-",
        conflicts_with_all = ["from", "to", "protocol", "port", "icmp_code", "network", "port_id"]
    )]
    batch: Option<PathBuf>,
    /// How to print; else a batch is answered in JSON Lines, a single question for people.
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people: the way as a chain of arrows.
    Table,
    /// One JSON object per line.
    Json,
}

pub(super) fn run(args: &ReachArgs) -> anyhow::Result<ExitCode> {
    let Some(path) = &args.batch else {
        let question = args.question()?;
        let part = part_at(&mut *args.store.reader()?, args.at.as_deref(), &question)?;
        let mut out = stdout();
        let mut verdict = reach_any(part.engine().clouds(), &question);
        servers::name_written(&mut *args.store.reader()?, args.at.as_deref(), part.engine(), &mut verdict)?;
        let format = args.output.unwrap_or(Format::Table);
        let written = tell(&question, &verdict, format, &mut out).and_then(|()| out.flush());
        return answered(written, if verdict.reachable { ExitCode::SUCCESS } else { ExitCode::from(1) });
    };
    let (name, input): (String, Box<dyn Read>) = if path == Path::new("-") {
        ("standard input".to_owned(), Box::new(io::stdin()))
    } else {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| name.clone())?;
        (name, Box::new(file))
    };
    let engine = state_at(&mut *args.store.reader()?, args.at.as_deref())?;
    let clouds: Vec<_> = engine.clouds().collect();
    let at = servers::time_of(&mut *args.store.reader()?, engine.seq())?;
    let answer = |question: &Question| {
        let mut verdict = reach_any(clouds.iter().copied(), question);
        servers::name(&engine, engine.names(), at, &mut verdict);
        verdict
    };
    answer_batch(answer, &name, input, args.output.unwrap_or(Format::Json), &mut stdout())?;
    Ok(ExitCode::SUCCESS)
}

impl ReachArgs {
    /// The one question that the flags ask.
    fn question(&self) -> Result<Question, Failure> {
        let (Some(from), Some(to), Some(protocol)) = (self.from, self.to, &self.protocol) else {
            return Err(Failure::Usage("give --from, --to and --protocol, or --batch".to_owned()));
        };
        let protocol = Question::protocol(protocol, to.is_ipv6()).ok_or_else(|| {
            let wanted = "give a name such as tcp, udp or icmp, or a number from 0 to 255";
            Failure::Usage(format!("--protocol {protocol}: {wanted}"))
        })?;
        if let Some(port) = self.port.filter(|port| protocol.is_icmp() && *port > u16::from(u8::MAX)) {
            return Err(Failure::Usage(format!("--port {port}: an ICMP type is from 0 to 255")));
        }
        Ok(Question {
            icmp_code: self.icmp_code,
            network: self.network.as_deref().map(Id::new),
            port_id: self.port_id.as_deref().map(Id::new),
            ..Question::new(from, to, protocol, self.port)
        })
    }
}

/// What a question needs of the clouds, now or as they were.
fn part_at(reader: &mut dyn Reader, at: Option<&str>, question: &Question) -> anyhow::Result<Timeline> {
    let seq = moment(reader, "--at", at)?;
    let asked = Asked::Packet { from: question.from, to: question.to };
    let options = EngineOptions::default();
    let part = Excerpt::load(reader, (seq, seq), &asked, false, &options);
    Ok(as_usage(part.map_err(Into::into), "--at", at)?.at(seq, &options))
}

/// Writes one answer.
fn tell(question: &Question, verdict: &Verdict, format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Json => json_line(out, &VerdictDocument::from(verdict)),
        Format::Table => out.write_all(chain::text(question, verdict).as_bytes()),
    }
}

/// Answers question after question over all regions, each as soon as it is read. A line that is no question is answered by what is
/// wrong with it, in its place, so that answers stay beside their questions; in the end the first such line is the error.
fn answer_batch(
    answer: impl Fn(&Question) -> Verdict,
    name: &str,
    input: impl Read,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    let mut told = 0_u64;
    let (mut first_wrong, mut wrong) = (None, 0_u64);
    for number in 1_u64.. {
        if input.buffer().is_empty() {
            // Whoever asks may wait for the answers before asking on.
            out.flush()?;
        }
        match next_line(&mut input, &mut line) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                out.flush()?;
                return Err(error).with_context(|| format!("{name} line {number}"));
            }
        }
        let is_first = number == 1;
        let text = line.strip_prefix(BYTE_ORDER_MARK).filter(|_| is_first).unwrap_or(&line);
        let question = question_of(text);
        if matches!(question, Ok(None)) {
            continue;
        }
        if format == Format::Table && told > 0 {
            out.write_all(b"\n")?;
        }
        told += 1;
        match question {
            Ok(None) => {}
            Ok(Some(question)) => {
                tell(&question, &answer(&question), format, out)?;
            }
            Err(why) => {
                match format {
                    Format::Json => json_line(out, &json!({"error": why, "line": number}))?,
                    Format::Table => writeln!(out, "line {number} is no question: {why}")?,
                }
                wrong += 1;
                first_wrong.get_or_insert((number, why));
            }
        }
    }
    out.flush()?;
    let Some((number, why)) = first_wrong else { return Ok(()) };
    let more = match wrong - 1 {
        0 => String::new(),
        more => format!("; {more} more of {told} lines are no questions"),
    };
    Err(Failure::Usage(format!("{name} line {number}: {why}{more}")).into())
}

/// Reads the next line, or of one that is too long its beginning; false at the end.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    input.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', line)?;
    if line.len() > LINE_BYTES_MAX && !line.ends_with(b"\n") {
        input.skip_until(b'\n')?;
    }
    Ok(!line.is_empty())
}

/// The question on a line; none on an empty one.
fn question_of(line: &[u8]) -> Result<Option<Question>, String> {
    if line.len() > LINE_BYTES_MAX {
        return Err(format!("longer than {LINE_BYTES_MAX} bytes"));
    }
    let text = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    read_question(text).map(Some).map_err(|error| error.to_string())
}
