//! A formula as an SMT-LIB term over the constants of `request.rs`.

use crate::{
    request::{KINDS, Vocabulary, constant, part},
    smt,
};
use ipnet::IpNet;
use keyward_policy::symbolic::{Cell, Fact, Form, Formula, Glob, Order, Part};

/// `Err`: something that SMT-LIB cannot say, and what.
pub(crate) fn term(formula: &Formula, words: &Vocabulary) -> Result<String, String> {
    let several = |parts: &[Formula]| {
        parts.iter().map(|part| term(part, words)).collect::<Result<Vec<_>, _>>()
    };
    Ok(match formula {
        Formula::Known(truth) => truth.to_string(),
        Formula::Fact(fact) => self::fact(fact, words)?,
        Formula::Not(inner) => format!("(not {})", term(inner, words)?),
        Formula::All(parts) if words.anything => {
            // All that is said of the ARN's parts is one pattern: several are much harder to solve.
            let (of_parts, others): (Vec<Formula>, Vec<Formula>) =
                parts.iter().cloned().partition(|part| part_of(part).is_some());
            let mut all = several(&others)?;
            if !of_parts.is_empty() {
                all.push(pattern(&of_parts)?);
            }
            smt::join("and", &all, "true")
        }
        Formula::All(parts) => smt::join("and", &several(parts)?, "true"),
        Formula::Any(parts) => smt::join("or", &several(parts)?, "false"),
        Formula::If(three) => format!("(ite {})", several(three.as_slice())?.join(" ")),
    })
}

fn fact(fact: &Fact, words: &Vocabulary) -> Result<String, String> {
    let of = |key: &str, what: &str| constant(words.place(key), what);
    let text = |cell: &Cell| of(&cell.key, if cell.form == Form::Lower { "l" } else { "t" });
    Ok(match fact {
        Fact::Carries(cell) => carries(cell, words),
        Fact::Is(cell, value) => format!("(= {} {})", text(cell), smt::text(value)?),
        Fact::Same(one, other) => format!("(= {} {})", text(one), text(other)),
        Fact::Like(cell, glob) => smt::like(&text(cell), glob)?,
        Fact::LikeArn(cell, parts) => smt::like_arn(&text(cell), parts)?,
        Fact::Compares(cell, order, bound) => {
            let value = of(&cell.key, if cell.form == Form::Time { "m" } else { "n" });
            format!("({} {value} {})", smt::order(*order), smt::number(i128::from(*bound)))
        }
        Fact::Within(cell, net) => within(&of(&cell.key, "v4"), &of(&cell.key, "a"), net),
        Fact::Decimal(key, order, whole, fraction) => {
            let compared = decimal(&of(key, "n"), &of(key, "f"), *order, *whole, *fraction);
            format!("(and {} {compared})", of(key, "nok"))
        }
        Fact::Empty(cell) => {
            let (view, other) = views(cell);
            let mut all: Vec<String> = (0..held(cell, words).len())
                .map(|at| of(&cell.key, &format!("{view}{at}")))
                .collect();
            all.push(of(&cell.key, other));
            format!("(not {})", smt::join("or", &all, "false"))
        }
        Fact::Holds(cell, value) => member(cell, value, words),
        Fact::Only(cell, values) => {
            let mut none: Vec<String> = held(cell, words)
                .iter()
                .filter(|value| !values.contains(value))
                .map(|value| member(cell, value, words))
                .collect();
            none.push(of(&cell.key, views(cell).1));
            format!("(not {})", smt::join("or", &none, "false"))
        }
        Fact::CallerIs(kind) => kind_of(kind)?.to_owned(),
        Fact::Caller(kind, id) => {
            let name = match kind.as_str() {
                "Root" => "c_account",
                "Service" => "c_host",
                _ => "c_arn",
            };
            format!("(and {} (= {name} {}))", kind_of(kind)?, smt::text(id)?)
        }
        Fact::CallerIn(kind, id) => {
            let id = smt::text(id)?;
            match kind.as_str() {
                "Account" => format!("(and (not c_service) (= c_account {id}))"),
                "Role" => format!("(and c_session (= c_behind {id}))"),
                "User" => {
                    format!("(or (and c_user (= c_arn {id})) (and c_federated (= c_behind {id})))")
                }
                other => return Err(format!("a principal in {other}")),
            }
        }
        Fact::ResourceIs(arn) => format!("(= r_arn {})", smt::text(arn)?),
        Fact::ResourcePart(..) | Fact::ResourceLike(..) if words.anything && !is_whole(fact) => {
            pattern(&[Formula::Fact(fact.clone())])?
        }
        Fact::ResourcePart(which, value) => format!("(= {} {})", part(*which), smt::text(value)?),
        Fact::ResourceLike(which, glob) => smt::like(part(*which), glob)?,
        Fact::ResourceLikeArn(parts) => {
            format!("(and r_is_arn {})", smt::like_arn("r_arn", parts)?)
        }
        Fact::ActionLike(glob) => smt::like("a_name", glob)?,
        Fact::HasBoundary => "s_boundary".to_owned(),
        Fact::Doubtful(key) => of(key, "d"),
        Fact::ContextDoubtful => "x_twice".to_owned(),
        Fact::Unsaid(id) => {
            let place = words.unsaid.iter().position(|one| one == id);
            place.map(|place| format!("u{place}")).ok_or("an unknown of no name")?
        }
    })
}

fn is_whole(fact: &Fact) -> bool {
    matches!(fact, Fact::ResourcePart(Part::Whole, _) | Fact::ResourceLike(Part::Whole, _))
}

/// What a formula says of one part of the resource's ARN.
fn part_of(formula: &Formula) -> Option<(Part, Vec<Glob>)> {
    match formula {
        Formula::Fact(fact) if is_whole(fact) => None,
        Formula::Fact(Fact::ResourcePart(part, text)) => {
            Some((*part, text.chars().map(Glob::Char).collect()))
        }
        Formula::Fact(Fact::ResourceLike(part, glob)) => Some((*part, glob.clone())),
        _ => None,
    }
}

/// Several such as a question about the whole ARN. `*` alone has parts too, all empty.
fn pattern(formulas: &[Formula]) -> Result<String, String> {
    let parts = [Part::Partition, Part::Service, Part::Region, Part::Account, Part::Name];
    let said: Vec<(Part, Vec<Glob>)> = formulas.iter().filter_map(part_of).collect();
    let empty = said.iter().all(|(_, glob)| glob.iter().all(|one| *one == Glob::Star));
    let of = |part: &Part| -> Vec<&Vec<Glob>> {
        said.iter().filter(|(which, _)| which == part).map(|(_, glob)| glob).collect()
    };
    // A statement speaks of each part once; what is left over is said beside it.
    let mut terms = Vec::new();
    let rounds = parts.iter().map(|part| of(part).len()).max().unwrap_or_default();
    for round in 0..rounds {
        let glob = |part: &Part| {
            of(part).get(round).map_or_else(|| vec![Glob::Star], |glob| (*glob).clone())
        };
        let arn: Vec<Vec<Glob>> = std::iter::once("arn".chars().map(Glob::Char).collect())
            .chain(parts.iter().map(glob))
            .collect();
        terms.push(smt::like_arn("r_arn", &arn)?);
    }
    let fits = smt::join("and", &terms, "true");
    Ok(if empty { format!("(or (not r_is_arn) {fits})") } else { fits })
}

fn kind_of(kind: &str) -> Result<&'static str, String> {
    let known = KINDS.iter().find(|(name, _)| *name == kind);
    known.map(|(_, name)| *name).ok_or_else(|| format!("a principal of type {kind}"))
}

fn carries(cell: &Cell, words: &Vocabulary) -> String {
    let of = |what: &str| constant(words.place(&cell.key), what);
    match cell.form {
        Form::Text | Form::Lower => of("p"),
        Form::Number => format!("(and {} {} (= {} 0))", of("p"), of("nok"), of("f")),
        Form::Time => format!("(and {} {})", of("p"), of("mok")),
        Form::Address => format!("(and {} {})", of("p"), of("aok")),
    }
}

/// The names of a set's members and of what else it holds, in this form.
const fn views(cell: &Cell) -> (&'static str, &'static str) {
    if matches!(cell.form, Form::Lower) { ("g", "ol") } else { ("h", "o") }
}

fn held<'w>(cell: &Cell, words: &'w Vocabulary) -> &'w [String] {
    words.keys.get(&cell.key).map_or(&[], |key| {
        let [as_is, lower] = &key.held;
        if cell.form == Form::Lower { lower } else { as_is }
    })
}

fn member(cell: &Cell, value: &str, words: &Vocabulary) -> String {
    let place = held(cell, words).iter().position(|one| one == value);
    let name = place.map(|at| format!("{}{at}", views(cell).0));
    // INVARIANT: the vocabulary was made of the same formulas.
    name.map_or_else(|| "false".to_owned(), |name| constant(words.place(&cell.key), &name))
}

fn within(v4: &str, address: &str, net: &IpNet) -> String {
    match net {
        IpNet::V4(net) => format!(
            "(and {v4} (<= {} {address} {}))",
            net.network().to_bits(),
            net.broadcast().to_bits()
        ),
        IpNet::V6(net) => format!(
            "(and (not {v4}) (<= {} {address} {}))",
            net.network().to_bits(),
            net.broadcast().to_bits()
        ),
    }
}

/// Pairs of a whole number and what is left of it compare as their sums do.
fn decimal(n: &str, f: &str, order: Order, whole: i64, fraction: u64) -> String {
    let whole = smt::number(i128::from(whole));
    let strict = match order {
        Order::Equal => return format!("(and (= {n} {whole}) (= {f} {fraction}))"),
        Order::Less | Order::LessOrEqual => "<",
        Order::Greater | Order::GreaterOrEqual => ">",
    };
    let last = smt::order(order);
    format!("(or ({strict} {n} {whole}) (and (= {n} {whole}) ({last} {f} {fraction})))")
}
