//! What a document says about an action, by kind of match, and the decision table over it as a term.
//!
//! The table is that of `keyward-policy`'s `table.rs`; a test compares the two over every combination.

use keyward_policy::symbolic::{Formula, SymbolicDocument};
use keyward_types::MatchKind;

/// What one document says about one action, or about an action that is not known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Side {
    pub(crate) deny: Formula,
    pub(crate) session: Formula,
    pub(crate) entity: Formula,
    pub(crate) account: Formula,
    /// Statements without a kind of match: those of identity policies.
    pub(crate) plain: Formula,
}

impl Side {
    /// `without`: a statement that is taken to be absent.
    pub(crate) fn of(
        document: &SymbolicDocument,
        action: Option<&str>,
        without: Option<usize>,
    ) -> Self {
        let (mut deny, mut session, mut entity, mut account, mut plain) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for statement in &document.statements {
            if Some(statement.index) == without {
                continue;
            }
            let covers = match action {
                Some(action) => Formula::Known(statement.covers(action)),
                None => statement.covers_unknown(),
            };
            for (kind, when) in &statement.when {
                let matches = Formula::all([covers.clone(), when.clone()]);
                let list = match (statement.allow, kind) {
                    (false, _) => &mut deny,
                    (true, Some(MatchKind::Session)) => &mut session,
                    (true, Some(MatchKind::Entity)) => &mut entity,
                    (true, Some(MatchKind::Account)) => &mut account,
                    (true, None) => &mut plain,
                };
                list.push(matches);
            }
        }
        Self {
            deny: Formula::any(deny),
            session: Formula::any(session),
            entity: Formula::any(entity),
            account: Formula::any(account),
            plain: Formula::any(plain),
        }
    }

    pub(crate) fn formulas(&self) -> [&Formula; 5] {
        [&self.deny, &self.session, &self.entity, &self.account, &self.plain]
    }
}

/// The terms that a side's formulas became.
pub(crate) struct Terms {
    pub(crate) deny: String,
    pub(crate) session: String,
    pub(crate) entity: String,
    pub(crate) account: String,
    pub(crate) plain: String,
}

/// What else counts for a key's policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beside {
    /// The operation is offered to other accounts.
    pub(crate) across: bool,
    /// Grants count too.
    pub(crate) grants: bool,
    /// An organization's policies are known.
    pub(crate) organization: bool,
}

/// Whether a key's policy, with what surrounds the caller, allows. What organizations that are not known, endpoints
/// and other documents deny or do not allow is the same on both sides of a comparison, and only takes away; it
/// stands for nothing here.
pub(crate) fn on_key(terms: &Terms, beside: Beside) -> String {
    let Terms { deny, session, entity, account, .. } = terms;
    let Beside { across, grants, organization } = beside;
    let or_grant = |own: &str, grant: &str| {
        if grants { format!("(or {own} {grant})") } else { own.to_owned() }
    };
    let session = or_grant(session, "g_session");
    let entity = or_grant(entity, "g_entity");
    let account = or_grant(account, "g_account");
    let narrowed = "(and s_boundary_ok s_session_ok)";
    let identity = "(or s_identity c_root)";
    let inside =
        format!("(or {session} (and {entity} {narrowed}) (and {account} {identity} {narrowed}))");
    let identity_or_own = or_grant(identity, "g_own");
    let outside =
        format!("(and {across} (or {session} {entity} {account}) {identity_or_own} {narrowed})");
    let limited = if organization { "o_ok" } else { "true" };
    format!(
        "(and {limited} (not {deny}) (ite c_service {session} (ite (= c_account r_account) {inside} {outside})))"
    )
}

/// Whether an organization lets a request pass. `levels`: what each level of service control policies allows, and
/// denies. `o_scp` and `o_rcp` say whether they are over the request.
pub(crate) fn within_organization(levels: &[(String, String)], rcps: &str) -> String {
    let level = |(allow, deny): &(String, String)| format!("(and {allow} (not {deny}))");
    let levels: Vec<String> = levels.iter().map(level).collect();
    let scps = crate::smt::join("and", &levels, "true");
    format!("(and (or (not o_scp) {scps}) (not (and o_rcp {rcps})))")
}

/// Whether an identity policy by itself allows.
pub(crate) fn alone(terms: &Terms) -> String {
    format!("(and (not {}) {})", terms.deny, terms.plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_policy::Tally;
    use keyward_types::{Effect, Layer};
    use std::collections::BTreeMap;

    /// The truth of a term of `and`, `or`, `not`, `ite`, `=`, constants and truths.
    fn truth(
        words: &mut std::iter::Peekable<std::vec::IntoIter<String>>,
        of: &BTreeMap<&str, bool>,
    ) -> bool {
        let word = words.next().expect("a term");
        if word != "(" {
            return of.get(word.as_str()).copied().unwrap_or_else(|| panic!("{word}"));
        }
        let op = words.next().expect("an operator");
        let mut args = Vec::new();
        if op == "=" {
            // Accounts are compared by name.
            let (left, right) = (words.next().unwrap(), words.next().unwrap());
            assert_eq!((left.as_str(), right.as_str()), ("c_account", "r_account"));
            args.push(of["same"]);
        }
        while words.peek().map(String::as_str) != Some(")") {
            args.push(truth(words, of));
        }
        words.next();
        match op.as_str() {
            "and" => args.iter().all(|arg| *arg),
            "or" => args.iter().any(|arg| *arg),
            "not" => !args[0],
            "ite" => {
                if args[0] {
                    args[1]
                } else {
                    args[2]
                }
            }
            "=" => args[0],
            other => panic!("{other}"),
        }
    }

    /// What an organization lets pass, with two levels of which the first has two documents.
    #[test]
    fn every_level_allows_and_nothing_denies() {
        const NAMES: [&str; 7] = ["o_scp", "o_rcp", "a", "b", "c", "deny", "rcp"];
        for bits in 0..1_u32 << NAMES.len() {
            let of: BTreeMap<&str, bool> =
                NAMES.iter().enumerate().map(|(at, name)| (*name, bits >> at & 1 == 1)).collect();
            let levels = [("(or a b)", "deny"), ("c", "false")];
            let levels = levels.map(|(allow, deny)| (allow.to_owned(), deny.to_owned()));
            let text = within_organization(&levels, "rcp").replace('(', " ( ").replace(')', " ) ");
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            let mut of = of;
            of.insert("false", false);
            let said = truth(&mut words.into_iter().peekable(), &of);
            let allowed = (of["a"] || of["b"]) && of["c"] && !of["deny"];
            let expected = (!of["o_scp"] || allowed) && !(of["o_rcp"] && of["rcp"]);
            assert_eq!(said, expected, "{of:?}");
        }
    }

    const TRUTHS: [&str; 18] = [
        "deny",
        "session",
        "entity",
        "account",
        "g_session",
        "g_entity",
        "g_account",
        "g_own",
        "c_service",
        "c_root",
        "same",
        "s_identity",
        "s_boundary_ok",
        "s_session_ok",
        "across",
        "o_ok",
        "grants",
        "true",
    ];

    /// The term is the decision table of the policy engine, row by row.
    #[test]
    fn the_term_is_the_decision_table() {
        let terms = Terms {
            deny: "deny".to_owned(),
            session: "session".to_owned(),
            entity: "entity".to_owned(),
            account: "account".to_owned(),
            plain: "false".to_owned(),
        };
        let mut allowed = 0;
        for bits in 0..1_u32 << (TRUTHS.len() - 1) {
            let mut of: BTreeMap<&str, bool> =
                TRUTHS.iter().enumerate().map(|(at, name)| (*name, bits >> at & 1 == 1)).collect();
            of.insert("true", true);
            of.insert("false", false);
            let beside = Beside { across: of["across"], grants: of["grants"], organization: true };
            let text = on_key(&terms, beside).replace('(', " ( ").replace(')', " ) ");
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            let said = truth(&mut words.into_iter().peekable(), &of);
            let granted = |name: &str| of["grants"] && of[name];
            let tally = Tally {
                denied: of["deny"].then_some(Layer::KeyPolicy),
                rcp_ok: true,
                scp_ok: of["o_ok"],
                endpoint_ok: true,
                service: of["c_service"],
                key_operation: true,
                same_account: of["same"],
                cross_account_allowed: of["across"],
                names_caller: of["session"] || granted("g_session"),
                names_entity: of["entity"] || granted("g_entity"),
                names_account: of["account"] || granted("g_account"),
                identity_allows: of["s_identity"],
                root: of["c_root"],
                boundary_ok: of["s_boundary_ok"],
                session_ok: of["s_session_ok"],
                own_grant: granted("g_own"),
            };
            assert_eq!(said, tally.verdict().0 == Effect::Allow, "{of:?}");
            allowed += u32::from(said);
        }
        assert!(1_000 < allowed, "{allowed}");
    }
}
