//! Every request at once: what it carries as constants of the solver, and what always holds of it.
//!
//! An axiom stands here only where it follows from how a request is made; its comment says from what. What is left
//! out makes fewer proofs and never a wrong one, because requests that cannot be are then considered as well.
//!
//! INVARIANT: every request that reaches the policy engine is an assignment of these constants.

use crate::smt;
use keyward_policy::symbolic::{Cell, Fact, Form, Formula, Part, holds_several, is_of_family};
use std::collections::{BTreeMap, BTreeSet};

/// The kinds of callers, and the constants that say which one it is.
pub(crate) const KINDS: [(&str, &str); 5] = [
    ("Root", "c_root"),
    ("User", "c_user"),
    ("Session", "c_session"),
    ("Federated", "c_federated"),
    ("Service", "c_service"),
];

/// The request's texts, beside the condition keys.
const TEXTS: &[&str] = &[
    "c_partition",
    "c_account",
    "c_arn",
    "c_behind",
    "c_path",
    "c_role",
    "c_name",
    "c_host",
    "r_arn",
    "r_partition",
    "r_service",
    "r_region",
    "r_account",
    "r_name",
    "r_id",
    "a_name",
];

/// Truths about the caller's surroundings: what documents beside those in question say, whether it is a session of a
/// service-linked role, what an organization says; and whether its encryption context has a name in two spellings.
const SURROUNDINGS: &[&str] = &[
    "s_identity",
    "s_boundary",
    "s_boundary_ok",
    "s_session_ok",
    "g_session",
    "g_entity",
    "g_account",
    "g_own",
    "s_linked",
    "o_scp",
    "o_rcp",
    "o_ok",
    "x_twice",
];

/// What the questions of one kind are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A key; `None` for any key.
    Key(Option<String>),
    /// Whatever has an ARN, and `*`.
    Anything,
}

/// How formulas use one condition key.
#[derive(Debug, Default)]
pub(crate) struct Use {
    pub(crate) place: usize,
    pub(crate) many: bool,
    pub(crate) forms: BTreeSet<Form>,
    /// Texts with which its text is compared.
    pub(crate) texts: BTreeSet<String>,
    /// Values that it may hold, as they are and in lower case.
    pub(crate) held: [Vec<String>; 2],
    pub(crate) doubtful: bool,
}

/// Everything that the formulas speak of.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    pub(crate) keys: BTreeMap<String, Use>,
    pub(crate) unsaid: Vec<String>,
    /// ARNs with which the caller's own, and that of what stands behind it, are compared.
    pub(crate) callers: BTreeSet<String>,
    /// ARNs with which the resource's is compared.
    pub(crate) resources: BTreeSet<String>,
    /// Something looks into the caller's ARN or account; otherwise they are only compared, which is told to the
    /// solver without their parts: those make it slow.
    pub(crate) caller_in_parts: bool,
    pub(crate) resource_in_parts: bool,
    /// The resource may be anything: questions about its parts are asked of its whole ARN.
    pub(crate) anything: bool,
    /// Something asks whether the encryption context has a name in two spellings.
    pub(crate) context_twice: bool,
    /// Roles that are service-linked though their ARNs do not say so.
    pub(crate) linked: BTreeSet<String>,
}

impl Vocabulary {
    pub(crate) fn of<'f>(formulas: impl IntoIterator<Item = &'f Formula>) -> Self {
        let mut all = Self::default();
        for formula in formulas {
            formula.each_fact(&mut |fact| all.note(fact));
        }
        for (place, (name, key)) in all.keys.iter_mut().enumerate() {
            key.place = place;
            key.many = holds_several(name);
        }
        all
    }

    fn key(&mut self, cell: &Cell) -> &mut Use {
        let key = self.keys.entry(cell.key.clone()).or_default();
        key.forms.insert(cell.form);
        key
    }

    fn look_into(&mut self, cell: &Cell) {
        match cell.key.as_str() {
            "aws:principalarn" | "aws:principalaccount" | "kms:calleraccount" => {
                self.caller_in_parts = true;
            }
            "aws:resourceaccount" => self.resource_in_parts = true,
            _ => {}
        }
    }

    fn note(&mut self, fact: &Fact) {
        match fact {
            Fact::Like(cell, _) | Fact::LikeArn(cell, _) => self.look_into(cell),
            Fact::Same(one, other) => {
                self.look_into(one);
                self.look_into(other);
            }
            Fact::Is(cell, _) if cell.form == Form::Lower => self.look_into(cell),
            Fact::Is(cell, text) if cell.key == "aws:principalarn" => {
                self.callers.insert(text.clone());
            }
            Fact::Caller(_, id) | Fact::CallerIn(_, id) => drop(self.callers.insert(id.clone())),
            Fact::ResourceIs(arn) => drop(self.resources.insert(arn.clone())),
            Fact::ResourceLike(..) | Fact::ResourcePart(..) | Fact::ResourceLikeArn(_) => {
                self.resource_in_parts = true;
            }
            _ => {}
        }
        match fact {
            Fact::Is(cell, text) => {
                let key = self.key(cell);
                if cell.form == Form::Text {
                    key.texts.insert(text.clone());
                }
            }
            Fact::Same(one, other) => {
                self.key(one);
                self.key(other);
            }
            Fact::Carries(cell)
            | Fact::Like(cell, _)
            | Fact::LikeArn(cell, _)
            | Fact::Compares(cell, ..)
            | Fact::Within(cell, _)
            | Fact::Empty(cell) => drop(self.key(cell)),
            Fact::Decimal(key, ..) => {
                self.key(&Cell { key: key.clone(), form: Form::Number });
            }
            Fact::Holds(cell, text) => self.hold(cell, std::slice::from_ref(text)),
            Fact::Only(cell, texts) => self.hold(cell, texts),
            Fact::Doubtful(name) => {
                self.key(&Cell { key: name.clone(), form: Form::Text }).doubtful = true;
            }
            Fact::ContextDoubtful => self.context_twice = true,
            Fact::Unsaid(id) if !self.unsaid.contains(id) => self.unsaid.push(id.clone()),
            _ => {}
        }
    }

    fn hold(&mut self, cell: &Cell, texts: &[String]) {
        let [as_is, lower] = &mut self.key(cell).held;
        let held = if cell.form == Form::Lower { lower } else { as_is };
        for text in texts {
            if !held.contains(text) {
                held.push(text.clone());
            }
        }
    }

    pub(crate) fn place(&self, key: &str) -> usize {
        self.keys.get(key).map_or(usize::MAX, |key| key.place)
    }
}

/// The constants of a key: `k3_t` is the text of the third.
pub(crate) fn constant(place: usize, what: &str) -> String {
    format!("k{place}_{what}")
}

/// The names and sorts of every constant, with which a request is read back.
pub(crate) fn constants(vocabulary: &Vocabulary) -> Vec<(String, &'static str)> {
    let mut all: Vec<(String, &'static str)> = Vec::new();
    all.extend(KINDS.iter().map(|(_, name)| ((*name).to_owned(), "Bool")));
    all.extend(SURROUNDINGS.iter().map(|name| ((*name).to_owned(), "Bool")));
    all.extend(TEXTS.iter().map(|name| ((*name).to_owned(), "String")));
    all.push(("r_is_arn".to_owned(), "Bool"));
    for (place, _) in vocabulary.unsaid.iter().enumerate() {
        all.push((format!("u{place}"), "Bool"));
    }
    for key in vocabulary.keys.values() {
        let mut add = |what: &str, sort| all.push((constant(key.place, what), sort));
        add("p", "Bool");
        add("d", "Bool");
        if key.many {
            add("o", "Bool");
            add("ol", "Bool");
            for (view, held) in ["h", "g"].iter().zip(&key.held) {
                (0..held.len()).for_each(|at| add(&format!("{view}{at}"), "Bool"));
            }
            continue;
        }
        for (what, sort, form) in [
            ("t", "String", Form::Text),
            ("l", "String", Form::Lower),
            ("nok", "Bool", Form::Number),
            ("n", "Int", Form::Number),
            ("f", "Int", Form::Number),
            ("mok", "Bool", Form::Time),
            ("m", "Int", Form::Time),
            ("aok", "Bool", Form::Address),
            ("v4", "Bool", Form::Address),
            ("a", "Int", Form::Address),
        ] {
            // A text and its lower case are said together.
            let text = matches!(form, Form::Text | Form::Lower);
            if text || key.forms.contains(&form) {
                add(what, sort);
            }
        }
    }
    all
}

/// The declarations, and everything that holds of each request.
pub(crate) fn declare(
    vocabulary: &Vocabulary,
    target: &Target,
    grants: bool,
) -> Result<String, String> {
    let mut out = String::new();
    for (name, sort) in constants(vocabulary) {
        out.push_str(&format!("(declare-const {name} {sort})\n"));
    }
    let mut say = |axiom: &str| out.push_str(&format!("(assert {axiom})\n"));
    kinds(&mut say);
    if vocabulary.caller_in_parts {
        caller_in_parts(&mut say);
    } else {
        caller(vocabulary, &mut say)?;
    }
    resource(vocabulary, target, &mut say)?;
    surroundings(grants, &mut say);
    linked(vocabulary, &mut say)?;
    for (name, key) in &vocabulary.keys {
        key_axioms(name, key, &mut say)?;
        derived(name, key, target, &mut say);
    }
    contexts(vocabulary, &mut say);
    Ok(out)
}

fn kinds(say: &mut dyn FnMut(&str)) {
    let kinds: Vec<String> = KINDS.iter().map(|(_, name)| (*name).to_owned()).collect();
    say(&smt::join("or", &kinds, "false"));
    for (place, (_, one)) in KINDS.iter().enumerate() {
        for (_, other) in KINDS.iter().skip(place + 1) {
            say(&format!("(not (and {one} {other}))"));
        }
    }
}

/// The account in an ARN.
pub(crate) fn account_in(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| arn.starts_with("arn:") && !account.is_empty())
}

/// The name of the role in the ARN of a role or of a session.
fn role_in(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':').nth(5)?.split('/');
    match parts.next()? {
        "assumed-role" => parts.next(),
        "role" => parts.next_back(),
        _ => None,
    }
}

/// What follows from an ARN that is compared with: its account, and the role behind a session.
fn caller(vocabulary: &Vocabulary, say: &mut dyn FnMut(&str)) -> Result<(), String> {
    for arn in &vocabulary.callers {
        let text = smt::text(arn)?;
        if let Some(account) = account_in(arn) {
            let account = smt::text(account)?;
            say(&format!("(=> (and (not c_service) (= c_arn {text})) (= c_account {account}))"));
            say(&format!(
                "(=> (and (or c_session c_federated) (= c_behind {text})) (= c_account {account}))"
            ));
        }
        for role in vocabulary.callers.iter().filter(|_| arn.contains(":assumed-role/")) {
            if role.contains(":role/") && role_in(arn) != role_in(role) {
                say(&format!(
                    "(not (and c_session (= c_arn {text}) (= c_behind {})))",
                    smt::text(role)?
                ));
            }
        }
    }
    Ok(())
}

/// From how IAM and STS form ARNs.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>
fn caller_in_parts(say: &mut dyn FnMut(&str)) {
    say("(str.in_re c_account ((_ re.loop 12 12) (re.range \"0\" \"9\")))");
    say("(not (str.contains c_partition \":\"))");
    say("(not (str.contains c_role \"/\"))");
    say("(or (= c_path \"\") (str.suffixof \"/\" c_path))");
    for (kind, arn) in [
        ("c_root", "\":iam::\" c_account \":root\""),
        ("c_user", "\":iam::\" c_account \":user/\" c_name"),
        ("c_session", "\":sts::\" c_account \":assumed-role/\" c_role \"/\" c_name"),
        ("c_federated", "\":sts::\" c_account \":federated-user/\" c_name"),
    ] {
        say(&format!("(=> {kind} (= c_arn (str.++ \"arn:\" c_partition {arn})))"));
    }
    for (kind, of) in [("c_session", "role"), ("c_federated", "user")] {
        say(&format!(
            "(=> {kind} (= c_behind (str.++ \"arn:\" c_partition \":iam::\" c_account \":{of}/\" c_path c_role)))"
        ));
    }
}

/// From how `entities.rs` of the policy engine cuts an ARN.
fn resource(
    vocabulary: &Vocabulary,
    target: &Target,
    say: &mut dyn FnMut(&str),
) -> Result<(), String> {
    if let Target::Key(Some(arn)) = target {
        say("r_is_arn");
        say(&format!("(= r_arn {})", smt::text(arn)?));
        let parts = ["r_partition", "r_service", "r_region", "r_account", "r_name"];
        for (part, text) in parts.iter().zip(arn.splitn(6, ':').skip(1)) {
            say(&format!("(= {part} {})", smt::text(text)?));
        }
        return Ok(());
    }
    let whole =
        "(str.++ \"arn:\" r_partition \":\" r_service \":\" r_region \":\" r_account \":\" r_name)";
    if *target == Target::Key(None) {
        say("(and r_is_arn (= r_service \"kms\"))");
        if !vocabulary.resource_in_parts {
            for arn in &vocabulary.resources {
                if let Some(account) = account_in(arn) {
                    let (arn, account) = (smt::text(arn)?, smt::text(account)?);
                    say(&format!("(=> (= r_arn {arn}) (= r_account {account}))"));
                }
            }
            return Ok(());
        }
        say("(= r_name (str.++ \"key/\" r_id))");
        say("(str.in_re r_account ((_ re.loop 12 12) (re.range \"0\" \"9\")))");
        say(&format!("(= r_arn {whole})"));
    } else {
        // That there are six parts is left out: it makes the solver slow, and patterns ask for them anyway.
        say("(=> r_is_arn (str.prefixof \"arn:\" r_arn))");
        say("(=> (not r_is_arn) (= r_arn \"*\"))");
        return Ok(());
    }
    for part in ["r_partition", "r_service", "r_region", "r_account"] {
        say(&format!("(not (str.contains {part} \":\"))"));
    }
    Ok(())
}

/// From the decision table: services and root users are under no boundary and no session policy, and what is not
/// there is no hindrance.
fn surroundings(grants: bool, say: &mut dyn FnMut(&str)) {
    say("(=> (or c_root c_service) (and (not s_boundary) s_session_ok))");
    say("(=> (not s_boundary) s_boundary_ok)");
    say("(=> g_entity (or c_session c_federated))");
    say("(=> g_account (not c_service))");
    say("(=> g_own (or g_session g_entity g_account))");
    if !grants {
        say("(not (or g_session g_entity g_account))");
    }
}

/// Where a role has its path, its ARN says whether it is service-linked.
pub(crate) const LINKED: &str = ":role/aws-service-role/";

fn linked(vocabulary: &Vocabulary, say: &mut dyn FnMut(&str)) -> Result<(), String> {
    say("(=> s_linked c_session)");
    if vocabulary.caller_in_parts {
        let mut any = vec![format!("(str.contains c_behind \"{LINKED}\")")];
        for arn in &vocabulary.linked {
            any.push(format!("(= c_behind {})", smt::text(arn)?));
        }
        let any = smt::join("or", &any, "false");
        say(&format!("(= s_linked (and c_session {any}))"));
        return Ok(());
    }
    for arn in vocabulary.callers.union(&vocabulary.linked) {
        let linked = arn.contains(LINKED) || vocabulary.linked.contains(arn);
        let truth = if linked { "s_linked" } else { "(not s_linked)" };
        say(&format!("(=> (and c_session (= c_behind {})) {truth})", smt::text(arn)?));
    }
    Ok(())
}

fn key_axioms(name: &str, key: &Use, say: &mut dyn FnMut(&str)) -> Result<(), String> {
    let of = |what: &str| constant(key.place, what);
    if !is_of_family(name) {
        // Two spellings are a client's: it chooses the second half of these names alone.
        say(&format!("(not {})", of("d")));
    }
    if name.starts_with("unseen ") {
        say(&format!("(not {})", of("p")));
    }
    if key.many {
        return sets(key, say);
    }
    for text in &key.texts {
        let (text, lower) = (smt::text(text)?, smt::text(&text.to_lowercase())?);
        say(&format!("(=> (= {} {text}) (= {} {lower}))", of("t"), of("l")));
    }
    if key.forms.contains(&Form::Number) {
        say(&format!("(and (<= 0 {0}) (< {0} 1000000000000000000))", of("f")));
        // Eighteen digits: `Decimal` of the policy engine.
        say(&format!("(< (- 1000000000000000001) {} 1000000000000000000)", of("n")));
        if key.forms.contains(&Form::Time) {
            say(&format!(
                "(=> (and {} (= {} 0)) (and {} (= {} (* 1000 {}))))",
                of("nok"),
                of("f"),
                of("mok"),
                of("m"),
                of("n")
            ));
        }
    }
    if key.forms.contains(&Form::Time) {
        say(&format!("(<= (- 9223372036854775808) {} 9223372036854775807)", of("m")));
    }
    if key.forms.contains(&Form::Address) {
        say(&format!("(<= 0 {} (ite {} 4294967295 {}))", of("a"), of("v4"), u128::MAX));
    }
    Ok(())
}

/// A value that is held is held in lower case.
fn sets(key: &Use, say: &mut dyn FnMut(&str)) -> Result<(), String> {
    let of = |what: &str| constant(key.place, what);
    let [held, lower] = &key.held;
    if !key.forms.contains(&Form::Lower) {
        return Ok(());
    }
    let place = |text: &str| lower.iter().position(|one| one == text);
    for (at, text) in held.iter().enumerate() {
        let folded =
            place(&text.to_lowercase()).map_or_else(|| of("ol"), |at| of(&format!("g{at}")));
        say(&format!("(=> {} {folded})", of(&format!("h{at}"))));
    }
    let any = |view: &str, count: usize, other: &str| {
        let mut all: Vec<String> = (0..count).map(|at| of(&format!("{view}{at}"))).collect();
        all.push(of(other));
        smt::join("or", &all, "false")
    };
    say(&format!("(= {} {})", any("h", held.len(), "o"), any("g", lower.len(), "ol")));
    for (at, text) in lower.iter().enumerate() {
        let mut from = vec![of("o")];
        let spelled = held.iter().enumerate().filter(|(_, one)| one.to_lowercase() == *text);
        from.extend(spelled.map(|(at, _)| of(&format!("h{at}"))));
        say(&format!("(=> {} {})", of(&format!("g{at}")), smt::join("or", &from, "false")));
    }
    Ok(())
}

/// Keys whose values follow from the caller and the resource: the rows of `keys.rs` of the policy engine.
fn derived(name: &str, key: &Use, target: &Target, say: &mut dyn FnMut(&str)) {
    let of = |what: &str| constant(key.place, what);
    let (p, t, l) = (of("p"), of("t"), of("l"));
    let mut flag = |present: &str, truth: &str| {
        say(&format!("(= {p} {present})"));
        say(&format!("(=> {p} (and (= {t} (ite {truth} \"true\" \"false\")) (= {l} {t})))"));
    };
    match name {
        "aws:principalisawsservice" => flag("true", "c_service"),
        "aws:securetransport" | "aws:multifactorauthpresent" => {
            say(&format!("(=> {p} (and (or (= {t} \"true\") (= {t} \"false\")) (= {l} {t})))"));
        }
        "aws:principalarn" => {
            say(&format!("(= {p} (not c_service))"));
            say(&format!("(=> (or c_root c_user) (= {t} c_arn))"));
            say(&format!("(=> c_session (= {t} c_behind))"));
        }
        "aws:principalaccount" | "kms:calleraccount" => {
            say(&format!("(= {p} (not c_service))"));
            say(&format!("(=> {p} (and (= {t} c_account) (= {l} c_account)))"));
        }
        "aws:resourceaccount" if matches!(target, Target::Key(_)) => {
            say(&p);
            say(&format!("(and (= {t} r_account) (= {l} r_account))"));
        }
        "aws:userid" => say(&format!("(= {p} (not c_service))")),
        "aws:username" => say(&format!("(= {p} c_user)")),
        "aws:principalservicename" => {
            say(&format!("(= {p} c_service)"));
            say(&format!("(=> {p} (= {t} c_host))"));
        }
        "aws:principaltype" => {
            say(&format!("(= {p} (not c_service))"));
            for (kind, text) in [
                ("c_root", "Account"),
                ("c_user", "User"),
                ("c_session", "AssumedRole"),
                ("c_federated", "FederatedUser"),
            ] {
                let lower = text.to_lowercase();
                say(&format!("(=> {kind} (and (= {t} \"{text}\") (= {l} \"{lower}\")))"));
            }
        }
        _ => {}
    }
}

const CONTEXT: &str = "kms:encryptioncontext:";

/// The encryption context's keys are those of its pairs.
fn contexts(vocabulary: &Vocabulary, say: &mut dyn FnMut(&str)) {
    for (_, pair) in vocabulary.keys.iter().filter(|(name, _)| name.starts_with(CONTEXT)) {
        say(&format!("(=> {} x_twice)", constant(pair.place, "d")));
    }
    let Some(keys) = vocabulary.keys.get("kms:encryptioncontextkeys") else { return };
    let [held, lower] = &keys.held;
    let any = |only: &dyn Fn(&str) -> bool| {
        let mut all: Vec<String> = held
            .iter()
            .enumerate()
            .filter(|(_, text)| only(&text.to_lowercase()))
            .map(|(at, _)| constant(keys.place, &format!("h{at}")))
            .collect();
        all.push(constant(keys.place, "o"));
        smt::join("or", &all, "false")
    };
    let p = constant(keys.place, "p");
    // Without pairs the key is absent.
    say(&format!("(= {p} {})", any(&|_| true)));
    for (name, pair) in &vocabulary.keys {
        let Some(tag) = name.strip_prefix(CONTEXT) else { continue };
        let carried = constant(pair.place, "p");
        say(&format!("(=> {carried} (and {p} {}))", any(&|text| text == tag)));
        for (at, _) in held.iter().enumerate().filter(|(_, text)| text.to_lowercase() == tag) {
            say(&format!("(=> {} {carried})", constant(keys.place, &format!("h{at}"))));
        }
        for (at, _) in lower.iter().enumerate().filter(|(_, text)| *text == tag) {
            say(&format!("(= {} {carried})", constant(keys.place, &format!("g{at}"))));
        }
    }
}

/// The constant that is a part of the resource's ARN.
pub(crate) const fn part(part: Part) -> &'static str {
    match part {
        Part::Whole => "r_arn",
        Part::Partition => "r_partition",
        Part::Service => "r_service",
        Part::Region => "r_region",
        Part::Account => "r_account",
        Part::Name => "r_name",
    }
}
