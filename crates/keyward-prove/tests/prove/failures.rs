//! Solvers that are missing, hang, die, or say what is no answer: never a proof.

use keyward_prove::{Prover, Solver, Surroundings, Verdict};
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};
use tempfile::TempDir;

const OPEN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}"#;
const NARROW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:Sign","Resource":"*"}]}"#;

/// A program that does what its text says.
fn program(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("solver");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

/// Answers the two questions whose answers are known, and then does as `text` says.
fn after_the_known(text: &str) -> String {
    format!(
        "n=0\nwhile read line; do case \"$line\" in *check-sat*)\n n=$((n+1))\n case $n in 1) echo sat;; 2) echo unsat;; *) {text};; esac;; esac; done"
    )
}

fn reasons(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let solver = Solver::new(program(&folder, text), Duration::from_millis(300));
    // NARROW within OPEN holds, and OPEN within NARROW does not: neither may be said.
    for (old, new) in [(OPEN, NARROW), (NARROW, OPEN)] {
        let verdict =
            Prover::new(&solver, None).no_new_access(old, new, None, Surroundings::Any).unwrap();
        let Verdict::Unknown(reasons) = verdict else { panic!("{text} made {verdict:?}") };
        if new == OPEN {
            return reasons.join("; ");
        }
        assert!(!reasons.is_empty());
    }
    unreachable!()
}

#[test]
fn a_solver_that_does_not_answer_proves_nothing() {
    for (text, says) in [
        ("exit 1", "ended"),
        ("while :; do echo unsat; done", "no solver"),
        ("while :; do echo sat; done", "no solver"),
        ("exec cat", "said"),
        ("exec sleep 60", "in time"),
        ("head -c 100000000 /dev/zero; echo", "said"),
    ] {
        let said = reasons(text);
        assert!(said.contains(says), "{text} made {said}");
    }
    for (text, says) in [
        ("exit 0", "ended"),
        ("echo unknown", "gave up"),
        ("echo '(error \"no\")'", "said (error"),
        ("echo UNSAT", "said UNSAT"),
        ("echo unsatisfiable", "said"),
        // It finds a request each time, and ends while it tells of it.
        ("echo sat;; esac;; *get-value*) echo '((c_root true'; exit; case x in *)", "ended"),
        ("exec sleep 60", "in time"),
    ] {
        let said = reasons(&after_the_known(text));
        assert!(said.contains(says), "{text} made {said}");
    }
}

#[test]
fn a_solver_that_is_missing_is_named() {
    let solver = Solver::new("/nonexistent/solver", Duration::from_secs(1));
    let said = solver.check().unwrap_err();
    assert!(said.contains("/nonexistent/solver"), "{said}");
    let verdict = Prover::new(&solver, None).no_new_access(OPEN, NARROW, None, Surroundings::Any);
    assert!(matches!(verdict.unwrap(), Verdict::Unknown(_)));
}

/// An answer that comes late would else be taken for that to the next question.
#[test]
fn a_late_answer_is_not_taken_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let text = after_the_known("sleep 1; echo unsat");
    let solver = Solver::new(program(&folder, &text), Duration::from_millis(100));
    let verdict = Prover::new(&solver, None).no_new_access(NARROW, OPEN, None, Surroundings::Any);
    assert!(matches!(verdict.unwrap(), Verdict::Unknown(_)));
}

#[test]
fn policies_that_cannot_be_read_are_refused() {
    let solver = Solver::new("/nonexistent/solver", Duration::from_secs(1));
    let prover = Prover::new(&solver, None);
    for bad in ["", "{", "[]", r#"{"Version":"2012-10-17","Statement":[]}"#] {
        assert!(prover.no_new_access(bad, OPEN, None, Surroundings::Any).is_err(), "{bad}");
        assert!(prover.statements(bad).is_err() && prover.repairable(bad).is_err(), "{bad}");
    }
}
