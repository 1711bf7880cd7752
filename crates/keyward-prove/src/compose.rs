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

/// Whether a key's policy, with what surrounds the caller, allows. `across`: the operation is offered to other
/// accounts. What organizations, endpoints and other documents deny or do not allow is the same on both sides of
/// a comparison, and only takes away; it stands for nothing here.
pub(crate) fn on_key(terms: &Terms, across: bool) -> String {
    let Terms { deny, session, entity, account, .. } = terms;
    let session = format!("(or {session} g_session)");
    let entity = format!("(or {entity} g_entity)");
    let account = format!("(or {account} g_account)");
    let narrowed = "(and s_boundary_ok s_session_ok)";
    let identity = "(or s_identity c_root)";
    let inside =
        format!("(or {session} (and {entity} {narrowed}) (and {account} {identity} {narrowed}))");
    let outside = format!(
        "(and {across} (or {session} {entity} {account}) (or {identity} g_own) {narrowed})"
    );
    format!(
        "(and (not {deny}) (ite c_service {session} (ite (= c_account r_account) {inside} {outside})))"
    )
}

/// Whether an identity policy by itself allows.
pub(crate) fn alone(terms: &Terms) -> String {
    format!("(and (not {}) {})", terms.deny, terms.plain)
}
