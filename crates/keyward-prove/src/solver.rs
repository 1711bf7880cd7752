//! The solver: a program of its own, spoken to in SMT-LIB through pipes. Never linked.
//!
//! It is asked one question after the other, each with its own time. Whatever it does but answer `sat` or `unsat`
//! is no answer: it may be missing, hang, die, or print rubbish.
//!
//! INVARIANT: only the line `unsat` is taken for a proof.
//! Source: <https://smt-lib.org/language.shtml>

use crate::smt::{self, Value};
use std::{
    ffi::{OsStr, OsString},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    time::Duration,
};

/// What is looked for on PATH.
pub const DEFAULT_PROGRAM: &str = "cvc5";
/// How long one question may take unless said.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(10);

/// The solver's own limit is a little shorter than ours, so that it can say so itself.
const GRACE: Duration = Duration::from_millis(500);
/// Bytes of one answer.
const ANSWER_MAX: u64 = 4 << 20;

/// Which program answers, and how long it may take for one question.
#[derive(Clone, Debug)]
pub struct Solver {
    program: OsString,
    limit: Duration,
}

impl Solver {
    /// `program`: a path, or a name that is looked for on PATH.
    pub fn new(program: impl AsRef<OsStr>, limit: Duration) -> Self {
        Self { program: program.as_ref().to_owned(), limit }
    }

    /// Whether there is such a program, and it answers two questions whose answers are known.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), String> {
        self.open().map(drop)
    }

    /// Starts the program, and asks it what is known: one that always says the same is no solver.
    pub(crate) fn open(&self) -> Result<Session, String> {
        let name = self.program.to_string_lossy().into_owned();
        let limit = self.limit.as_millis().to_string();
        let mut child = Command::new(&self.program)
            .args(["--lang=smt2", "--incremental", "--strings-exp", "--produce-models", "-q"])
            .arg(format!("--tlimit-per={limit}"))
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("the solver {name} cannot be run: {error}"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(format!("the solver {name} has no pipes"));
        };
        // One line waits at most: a solver that prints without end is not read without end.
        let (send, lines) = sync_channel(1);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            loop {
                let mut line = Vec::new();
                let read = reader.by_ref().take(ANSWER_MAX).read_until(b'\n', &mut line);
                if !matches!(read, Ok(1..)) || send.send(line).is_err() {
                    return;
                }
            }
        });
        let limit = self.limit + GRACE;
        let mut session = Session { child, stdin, lines, limit, broken: false };
        session.tell("(set-logic ALL)\n(declare-const known Bool)\n")?;
        let sure = (
            session.check(&["known".to_owned()])?,
            session.check(&["known".to_owned(), "(not known)".to_owned()])?,
        );
        if sure == (Answer::Sat, Answer::Unsat) {
            Ok(session)
        } else {
            Err(format!("{name} answers what is known wrongly: it is no solver"))
        }
    }
}

/// A solver that runs.
pub(crate) struct Session {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<Vec<u8>>,
    limit: Duration,
    /// An answer may still be under way, and would be taken for that to a later question.
    broken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Sat,
    Unsat,
}

impl Session {
    /// Commands that have no answer.
    pub(crate) fn tell(&mut self, script: &str) -> Result<(), String> {
        let told = self.stdin.write_all(script.as_bytes()).and_then(|()| self.stdin.flush());
        told.map_err(|_| "the solver ended before it was asked".to_owned())
    }

    fn line(&mut self) -> Result<String, String> {
        if self.broken {
            return Err("the solver is not in step any more".to_owned());
        }
        self.broken = true;
        let line = match self.lines.recv_timeout(self.limit) {
            Ok(line) => String::from_utf8_lossy(&line).trim().to_owned(),
            Err(RecvTimeoutError::Timeout) => {
                return Err("the solver did not answer in time".to_owned());
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err("the solver ended without an answer".to_owned());
            }
        };
        self.broken = false;
        Ok(line)
    }

    /// Whether everything told can hold together with `assumptions`, which are names of truths or their negations.
    ///
    /// # Errors
    /// There is no answer, and why.
    pub(crate) fn check(&mut self, assumptions: &[String]) -> Result<Answer, String> {
        // An empty list is not accepted everywhere.
        self.tell(&match assumptions {
            [] => "(check-sat)\n".to_owned(),
            some => format!("(check-sat-assuming ({}))\n", some.join(" ")),
        })?;
        match self.line()?.as_str() {
            "sat" => Ok(Answer::Sat),
            "unsat" => Ok(Answer::Unsat),
            "unknown" | "timeout" => Err("the solver gave up".to_owned()),
            other => {
                self.broken = true;
                Err(format!("the solver said {}", shown(other)))
            }
        }
    }

    /// Whether nothing it says can be told any more.
    pub(crate) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// What the constants are in the answer before.
    pub(crate) fn values(&mut self, names: &[String]) -> Result<Vec<(String, Value)>, String> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.tell(&format!("(get-value ({}))\n", names.join(" ")))?;
        let mut answer = self.line()?;
        while open(&answer) && (answer.len() as u64) < ANSWER_MAX {
            answer.push('\n');
            answer.push_str(&self.line()?);
        }
        smt::values(&answer).ok_or_else(|| format!("the solver said {}", shown(&answer)))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended already; then both say so, and that is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether parentheses are open, outside texts.
fn open(answer: &str) -> bool {
    let (mut depth, mut inside) = (0_i64, false);
    for c in answer.chars() {
        match c {
            '"' => inside = !inside,
            '(' if !inside => depth += 1,
            ')' if !inside => depth -= 1,
            _ => {}
        }
    }
    inside || 0 < depth
}

fn shown(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_default).collect()
}
