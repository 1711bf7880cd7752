//! One question to the solver, and the way from its answer to a request that the policy engine has decided.
//!
//! INVARIANT: a request is handed out only after the engine decided it as was asked for.
//! INVARIANT: "there is none" is said only for the solver's `unsat` over every request, those that carry a key in
//! two spellings included.

use crate::{
    around::{Around, Granted, Limits},
    compose::{self, Beside, Side, Terms},
    encode,
    request::{self, Target, Vocabulary, account_in, constant},
    smt,
    solver::{Answer, Session, Solver},
    witness::{self, Model},
};
use keyward_policy::{
    KMS_ACTIONS, PolicyEngine,
    symbolic::{Formula, can_carry, is_of_family},
    vectors::Vector,
};
use keyward_types::{Decision, GrantOperation};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Every kind of caller, those first that ask most.
const KINDS_BY_FREQUENCY: &[(&str, &str)] = {
    let [root, user, session, federated, service] = &request::KINDS;
    &[*session, *user, *root, *service, *federated]
};

/// Answers of the solver that the engine is asked about before the solver is not believed.
const TRIES: usize = 6;

/// What else there is beside the documents in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surroundings {
    /// Whatever there may be: policies of the caller, boundaries, sessions, grants unless they are given.
    Any,
    /// Everything else says yes, and there are no grants but those that are given.
    Willing,
    /// Nobody has an identity policy but who is named with it, and there are no grants but those that are given.
    Named,
}

/// A user or role, and the policies that it has.
#[derive(Clone, Debug)]
pub struct Holder {
    pub arn: String,
    pub identity: Vec<String>,
    pub boundary: Option<String>,
}

/// A document, what it says about the action, and what the engine is to say under it.
pub(crate) struct Party<'d> {
    pub(crate) text: &'d str,
    pub(crate) side: Side,
    /// Whether grants count under it.
    pub(crate) grants: bool,
    pub(crate) allows: bool,
}

pub(crate) struct Inquiry<'d> {
    /// `None` for any action, of identity policies.
    pub(crate) action: Option<&'d str>,
    pub(crate) target: Target,
    pub(crate) across: bool,
    pub(crate) surroundings: Surroundings,
    pub(crate) around: &'d Around,
    pub(crate) parties: Vec<Party<'d>>,
    /// Who asks, with what its identity policies say; `None` for anybody.
    pub(crate) holder: Option<(&'d Holder, Vec<Side>)>,
    /// More that must hold of the request.
    pub(crate) also: Vec<String>,
    pub(crate) spelled: &'d BTreeMap<String, String>,
}

/// A request that the engine decided, once under each document.
#[derive(Clone, Debug)]
pub(crate) struct Witness {
    /// A decision vector without the documents in question.
    pub(crate) vector: Map<String, Json>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) caller: String,
}

impl Inquiry<'_> {
    /// A request that is decided as every party has it; `None` where there is none.
    ///
    /// # Errors
    /// It is not known, and why.
    pub(crate) fn seek(
        &self,
        solver: &Solver,
        engine: &PolicyEngine,
    ) -> Result<Option<Witness>, String> {
        let own = self.holder.iter().flat_map(|(_, sides)| sides);
        let sides = self.parties.iter().map(|party| &party.side).chain(own);
        let (granted, limits) = self.surrounded();
        let of_grants = granted.iter().flat_map(Granted::formulas);
        let of_organization = limits.iter().flat_map(Limits::formulas);
        let formulas = sides.flat_map(Side::formulas).chain(of_grants).chain(of_organization);
        let mut vocabulary = Vocabulary::of(formulas);
        vocabulary.callers.extend(self.holder.iter().map(|(holder, _)| holder.arn.clone()));
        vocabulary.linked.extend(self.around.service_linked().iter().cloned());
        vocabulary.anything = self.target == Target::Anything;
        let script = self.script(&vocabulary)?;
        let mut session = solver.open()?;
        session.tell(&script)?;
        let plain: Vec<String> = vocabulary
            .keys
            .iter()
            .filter(|(name, _)| is_of_family(name))
            .map(|(_, key)| format!("(not {})", constant(key.place, "d")))
            .chain(vocabulary.context_twice.then(|| "(not x_twice)".to_owned()))
            .collect();
        let Some(held) = self.possible(&mut session, &vocabulary, &plain)? else { return Ok(None) };
        for _ in 0..TRIES {
            let chosen = self.prefer(&mut session, &vocabulary, &held)?;
            if session.check(&chosen)? != Answer::Sat {
                break;
            }
            let names = request::constants(&vocabulary);
            let names: Vec<String> = names.into_iter().map(|(name, _)| name).collect();
            let mut model = Model::new(session.values(&names)?);
            let truths = model.truths();
            model.name(&vocabulary, &self.target);
            if let Some(witness) = self.confirm(engine, &model, &vocabulary) {
                return Ok(Some(witness));
            }
            let again = format!("(assert (not (and true {})))\n", truths.join(" "));
            session.tell(&again)?;
            if session.check(&held)? == Answer::Unsat {
                break;
            }
        }
        Err("the solver excludes no request, and the policy engine decides none of those that it found so".to_owned())
    }

    /// Under which assumptions there is a request: first without names in two spellings, then with them. `None` where
    /// there is none at all. Kinds of callers are asked about one by one: each by itself is a simpler question.
    fn possible(
        &self,
        session: &mut Session,
        vocabulary: &Vocabulary,
        plain: &[String],
    ) -> Result<Option<Vec<String>>, String> {
        let passes: &[&[String]] = if plain.is_empty() { &[&[]] } else { &[plain, &[]] };
        for held in passes {
            if !vocabulary.caller_in_parts {
                if session.check(held)? == Answer::Sat {
                    return Ok(Some(held.to_vec()));
                }
                continue;
            }
            for (_, kind) in KINDS_BY_FREQUENCY {
                let with = [*held, &[(*kind).to_owned()]].concat();
                if session.check(&with)? == Answer::Sat {
                    return Ok(Some(with));
                }
            }
        }
        Ok(None)
    }

    /// What is known of grants, and of an organization.
    fn surrounded(&self) -> (Option<Granted>, Option<Limits>) {
        let granted = self.action.and_then(|action| self.around.granted(action));
        (granted, self.action.and_then(|action| self.around.limits(action)))
    }

    /// Whether there may be any grants, of which nothing is known.
    fn any_grants(&self) -> bool {
        self.surroundings == Surroundings::Any
            && !self.around.knows_grants()
            && self.action.is_some_and(|action| operation(action).is_some())
    }

    fn script(&self, vocabulary: &Vocabulary) -> Result<String, String> {
        let (granted, limits) = self.surrounded();
        let grants = granted.is_some() || self.any_grants();
        let mut out = request::declare(vocabulary, &self.target, grants)?;
        let mut say = |term: &str| out.push_str(&format!("(assert {term})\n"));
        for axiom in granted.iter().map(|granted| granted.axioms(vocabulary)) {
            axiom.map_err(unsayable)?.iter().for_each(|term| say(term));
        }
        if let Some(limits) = &limits {
            let axioms = self.around.organization_axioms(limits, vocabulary).map_err(unsayable)?;
            axioms.iter().for_each(|term| say(term));
        }
        if self.surroundings == Surroundings::Willing {
            say("(and s_identity s_boundary_ok s_session_ok)");
        }
        if self.surroundings == Surroundings::Named {
            say("(and s_boundary_ok s_session_ok)");
            self.holds(vocabulary, &mut say)?;
        }
        if self.action.is_none() {
            // Of the form that a policy can name.
            say(
                "(str.in_re a_name (re.++ (re.+ (re.union (re.range \"a\" \"z\") (re.range \"0\" \"9\") (str.to_re \"-\"))) (str.to_re \":\") (re.+ (re.union (re.range \"a\" \"z\") (re.range \"0\" \"9\") (str.to_re \"_\") (str.to_re \"-\")))))",
            );
        }
        self.also.iter().for_each(|term| say(term));
        for party in &self.parties {
            let term = |formula| encode::term(formula, vocabulary).map_err(unsayable);
            let Side { deny, session, entity, account, plain } = &party.side;
            let terms = Terms {
                deny: term(deny)?,
                session: term(session)?,
                entity: term(entity)?,
                account: term(account)?,
                plain: term(plain)?,
            };
            let allows = match self.target {
                Target::Key(_) => {
                    let (grants, organization) = (party.grants, limits.is_some());
                    compose::on_key(&terms, Beside { across: self.across, grants, organization })
                }
                Target::Anything => compose::alone(&terms),
            };
            say(&if party.allows { allows } else { format!("(not {allows})") });
        }
        Ok(out)
    }

    /// What the caller's own policies say.
    fn holds(&self, vocabulary: &Vocabulary, say: &mut dyn FnMut(&str)) -> Result<(), String> {
        let Some((holder, sides)) = &self.holder else {
            say("(not s_identity)");
            return Ok(());
        };
        let arn = smt::text(&holder.arn)?;
        say(&if holder.arn.contains(":role/") {
            format!("(and c_session (= c_behind {arn}))")
        } else {
            format!("(and c_user (= c_arn {arn}))")
        });
        let terms = |of: fn(&Side) -> &Formula| {
            let each =
                sides.iter().map(|side| encode::term(of(side), vocabulary).map_err(unsayable));
            Ok::<_, String>(smt::join("or", &each.collect::<Result<Vec<_>, _>>()?, "false"))
        };
        say(&format!("(= s_identity {})", terms(|side| &side.plain)?));
        say(&format!("(not {})", terms(|side| &side.deny)?));
        Ok(())
    }

    /// Of the requests that remain, one that is easy to read: what is not needed is absent.
    fn prefer(
        &self,
        session: &mut Session,
        vocabulary: &Vocabulary,
        held: &[String],
    ) -> Result<Vec<String>, String> {
        let mut chosen = held.to_vec();
        for group in self.preferences(vocabulary) {
            if group.is_empty() {
                continue;
            }
            let with = |more: &[String]| [chosen.as_slice(), more].concat();
            if fits(session, &with(&group))? {
                chosen = with(&group);
                continue;
            }
            for one in group {
                let tried = [chosen.as_slice(), std::slice::from_ref(&one)].concat();
                if fits(session, &tried)? {
                    chosen = tried;
                }
            }
        }
        Ok(chosen)
    }

    fn preferences(&self, vocabulary: &Vocabulary) -> Vec<Vec<String>> {
        let group = |terms: &[&str]| terms.iter().map(|term| (*term).to_owned()).collect();
        let absent = |only: &dyn Fn(&str) -> bool| -> Vec<String> {
            let keys = vocabulary.keys.iter().filter(|(name, _)| only(name));
            keys.map(|(_, key)| format!("(not {})", constant(key.place, "p"))).collect()
        };
        const NAME: &str = "(re.++ (re.range \"a\" \"z\") (re.+ (re.union (re.range \"a\" \"z\") (re.range \"0\" \"9\") (str.to_re \"-\"))))";
        let named = |what: &str| format!("(str.in_re {what} {NAME})");
        let host = format!("(str.in_re c_host (re.++ {NAME} (str.to_re \".amazonaws.com\")))");
        let parts = |are: bool, terms: &[&str]| if are { group(terms) } else { Vec::new() };
        let (caller, resource) = (
            vocabulary.caller_in_parts,
            vocabulary.resource_in_parts && self.target == Target::Key(None),
        );
        vec![
            absent(&|name| self.action.is_some_and(|action| !can_carry(action, name))),
            group(&[
                "s_session_ok",
                "(not s_boundary)",
                "s_identity",
                "(not (or g_session g_entity g_account))",
                "(not g_own)",
                "(not s_linked)",
                "(not x_twice)",
            ]),
            group(&["(or c_user c_session)", "(= c_account r_account)"]),
            if self.target == Target::Anything {
                vec!["r_is_arn".to_owned(), "(str.prefixof \"arn:aws:\" r_arn)".to_owned()]
            } else {
                Vec::new()
            },
            parts(caller, &["(= c_path \"\")", "(= c_partition \"aws\")"]),
            parts(
                resource,
                &[
                    "(= r_partition \"aws\")",
                    "(str.in_re r_account ((_ re.loop 12 12) (re.range \"0\" \"9\")))",
                ],
            ),
            absent(&|_| true),
            if caller { vec![named("c_name"), named("c_role")] } else { Vec::new() },
            vec![host, "(= r_account \"111122223333\")".to_owned()],
            parts(
                resource,
                &[
                    "(= r_region \"us-east-1\")",
                    "(= r_id \"1234abcd-12ab-34cd-56ef-1234567890ab\")",
                ],
            ),
        ]
    }

    /// The request as the engine decides it; `None` where that is not as the parties have it.
    fn confirm(
        &self,
        engine: &PolicyEngine,
        model: &Model,
        vocabulary: &Vocabulary,
    ) -> Option<Witness> {
        let action = self.action.map_or_else(|| written(model.text("a_name")), str::to_owned);
        let made_up = self.any_grants();
        let mut vector = witness::vector(model, vocabulary, &action, self.spelled, made_up);
        self.around.surround(&mut vector, model);
        let mut member = "keyPolicy";
        if self.target == Target::Anything {
            member = "identity";
            const SOME: &str = "999988887777";
            let arn = model.text("r_arn");
            let account = account_in(arn).unwrap_or_default();
            let named = account.is_empty()
                || account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
            if !named {
                let mut parts: Vec<&str> = arn.splitn(6, ':').collect();
                parts.iter_mut().skip(4).take(1).for_each(|part| *part = SOME);
                vector.insert("resource".to_owned(), parts.join(":").into());
            }
            let account = if named && !account.is_empty() { account } else { SOME };
            vector
                .insert("caller".to_owned(), format!("arn:aws:iam::{account}:user/someone").into());
            let delegating = json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"AWS": account}, "Action": "*", "Resource": "*",
            }]});
            vector.insert("keyPolicy".to_owned(), delegating);
        }
        if let Some((holder, _)) = &self.holder {
            vector.insert("identity".to_owned(), json!(holder.identity));
            vector.insert("boundary".to_owned(), json!(holder.boundary));
        }
        let mut decisions = Vec::new();
        for party in &self.parties {
            let mut whole = vector.clone();
            if party.grants {
                self.around.grant(&mut whole, &action, model, vocabulary);
            }
            whole.insert(member.to_owned(), party.text.into());
            let vector = Vector::read(&whole.into()).ok()?;
            let decision = vector.put(|question| engine.decide_tersely(question));
            if decision.allowed() != party.allows {
                return None;
            }
            decisions.push(decision);
        }
        let caller = vector.get("caller").and_then(Json::as_str).unwrap_or_default().to_owned();
        // The one in question is the last.
        if self.parties.last().is_some_and(|party| party.grants) {
            self.around.grant(&mut vector, &action, model, vocabulary);
        }
        Some(Witness { vector, decisions, caller })
    }
}

/// A wish that the solver gives up on is not granted.
fn fits(session: &mut Session, assumptions: &[String]) -> Result<bool, String> {
    match session.check(assumptions) {
        Ok(answer) => Ok(answer == Answer::Sat),
        Err(why) if session.is_broken() => Err(why),
        Err(_) => Ok(false),
    }
}

fn unsayable(what: String) -> String {
    format!("not provable: {what} has no form that a solver reads")
}

pub(crate) fn operation(action: &str) -> Option<GrantOperation> {
    GrantOperation::parse(action.strip_prefix("kms:")?)
}

/// As KMS spells it, where it is KMS's.
fn written(action: &str) -> String {
    let known = KMS_ACTIONS.iter().find(|known| known.eq_ignore_ascii_case(action));
    known.map_or_else(|| action.to_owned(), |known| (*known).to_owned())
}
