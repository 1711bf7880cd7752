//! Reads a query. Nothing is guessed: what is not understood is refused, with the place and a hint.

use super::{
    Condition, Field, Moment, Pattern, Query, QueryError, Term,
    error::shown,
    field::{CONTEXT_PREFIXES, NAMES, Name},
    moment::End,
};
use ipnet::IpNet;
use keyward_types::ErrorCode;
use std::net::IpAddr;

/// Bytes of a query at most.
pub const QUERY_BYTES_MAX: usize = 8 * 1024;
/// Terms of a query at most.
pub const TERMS_MAX: usize = 64;
/// Values of a term at most.
pub const VALUES_MAX: usize = 256;

/// Words of other languages, which here would be searched for as text.
pub(super) const RESERVED: &[&str] = &["AND", "OR", "NOT"];

type Parsed<T> = Result<T, QueryError>;

pub(super) fn query(text: &str) -> Parsed<Query> {
    let mut parser = Parser { text, at: 0 };
    if text.len() > QUERY_BYTES_MAX {
        let problem = format!("the query has more than {QUERY_BYTES_MAX} bytes");
        return Err(parser.error(0, problem, "ask for less at once"));
    }
    let mut query = Query::new();
    loop {
        parser.skip(char::is_whitespace);
        if parser.rest().is_empty() {
            return Ok(query);
        }
        if query.terms.len() >= TERMS_MAX {
            let problem = format!("the query has more than {TERMS_MAX} terms");
            return Err(parser.error(
                parser.at,
                problem,
                "values of one field can share a term: op:A,B",
            ));
        }
        parser.term(&mut query)?;
        if parser.peek().is_some_and(|c| !c.is_whitespace()) {
            return Err(parser.error(
                parser.at,
                "a value ends here",
                "go on with a space or a comma",
            ));
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    /// Bytes read so far; always at a character.
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.at += wanted.len_utf8();
        }
        there
    }

    /// What stands here up to the first character that does not pass.
    fn skip(&mut self, passes: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let run = rest.split_once(|c| !passes(c)).map_or(rest, |(run, _)| run);
        self.at += run.len();
        run
    }

    fn error(&self, at: usize, problem: impl Into<String>, hint: impl Into<String>) -> QueryError {
        let at = self.text.get(..at).unwrap_or_default().chars().count();
        QueryError { at, problem: problem.into(), hint: hint.into() }
    }

    fn term(&mut self, query: &mut Query) -> Parsed<()> {
        let start = self.at;
        let negated = self.eat('-');
        let condition = if let Some(name) = self.context_name()? {
            Condition::Says(Field::Context(name), self.patterns(false)?)
        } else {
            match self.field_name()? {
                Some(Name::Since) => return self.moment(start, negated, End::Since, query),
                Some(Name::Until) => return self.moment(start, negated, End::Until, query),
                Some(Name::Of(Field::Ip)) => Condition::From(self.networks()?),
                Some(Name::Of(Field::ReadOnly)) => Condition::ReadOnly(self.flag()?),
                Some(Name::Of(Field::Result)) => results(self.patterns(false)?),
                Some(Name::Of(field)) => Condition::Says(field, self.patterns(false)?),
                None => Condition::Says(Field::Text, self.words()?),
            }
        };
        query.terms.push(Term { negated, condition });
        Ok(())
    }

    /// `ctx.NAME:`, of which the name may stand in quotes.
    fn context_name(&mut self) -> Parsed<Option<String>> {
        let prefix = CONTEXT_PREFIXES.iter().find(|prefix| {
            let start = self.rest().get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        });
        let Some(prefix) = prefix else { return Ok(None) };
        let start = self.at;
        self.at += prefix.len();
        let hint = "write ctx.NAME:VALUE; a name with a colon, a space or a quote stands in quotes";
        let name = if self.peek() == Some('"') {
            let name = self.quoted()?;
            name.as_literal().map(str::to_owned)
        } else {
            let name = self.skip(|c| !matches!(c, ':' | '"' | ',') && !c.is_whitespace());
            Some(name.to_owned()).filter(|name| !name.is_empty() && !name.contains(['*', '\\']))
        };
        let name = name
            .ok_or_else(|| self.error(start, "this is no name of an encryption context", hint))?;
        if self.eat(':') {
            Ok(Some(name))
        } else {
            Err(self.error(self.at, "a colon is missing", hint))
        }
    }

    /// What stands before a colon; nothing is read when there is no colon.
    fn field_name(&mut self) -> Parsed<Option<Name>> {
        let start = self.at;
        let run = self.skip(|c| !matches!(c, ':' | '"' | ',') && !c.is_whitespace());
        if !self.eat(':') {
            self.at = start;
            return Ok(None);
        }
        let name = Name::find(run);
        name.map(Some).ok_or_else(|| {
            let near =
                Name::near(run).map(|name| format!("did you mean {name}:? ")).unwrap_or_default();
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            let hint = format!(
                "{near}fields are {} and ctx.NAME; text with a colon stands in quotes",
                names.join(", ")
            );
            self.error(start, format!("there is no field '{}'", shown(run)), hint)
        })
    }

    /// Values with commas between.
    fn patterns(&mut self, words: bool) -> Parsed<Vec<Pattern>> {
        self.list(
            |parser| if parser.peek() == Some('"') { parser.quoted() } else { parser.bare(words) },
        )
    }

    fn list<T>(&mut self, mut value: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut values = vec![value(self)?];
        while self.eat(',') {
            if values.len() >= VALUES_MAX {
                let problem = format!("the term has more than {VALUES_MAX} values");
                return Err(self.error(self.at, problem, "a wildcard may say the same"));
            }
            values.push(value(self)?);
        }
        Ok(values)
    }

    fn words(&mut self) -> Parsed<Vec<Pattern>> {
        let start = self.at;
        let word = self.skip(|c| c != ',' && !c.is_whitespace());
        if RESERVED.contains(&word) || word.starts_with(['(', ')']) {
            let problem = format!("'{}' means nothing here", shown(word));
            let hint = "terms side by side must all hold, a comma is or (op:A,B), - is not; \
                        text stands in quotes";
            return Err(self.error(start, problem, hint));
        }
        self.at = start;
        self.patterns(true)
    }

    /// A value without quotes.
    fn bare(&mut self, word: bool) -> Parsed<Pattern> {
        let start = self.at;
        let run = self.skip(|c| c != ',' && !c.is_whitespace());
        let odd = |c: char| c == '"' || c == '\\' || c.is_control() || word && c == ':';
        if let Some(place) = run.find(odd) {
            let hint = "a value with such a character stands in quotes, as in \"a \\\"b\\\"\"";
            return Err(self.error(
                start + place,
                "this cannot stand in a value without quotes",
                hint,
            ));
        }
        if run.is_empty() {
            let hint = "a value comes here, such as op:Decrypt or key:alias/app; * is any";
            return Err(self.error(start, "a value is missing", hint));
        }
        Ok(Pattern::of(run.split('*').map(str::to_owned).collect()))
    }

    /// A value in quotes.
    fn quoted(&mut self) -> Parsed<Pattern> {
        let start = self.at;
        self.eat('"');
        let mut pieces = vec![];
        let mut piece = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((place, c)) = chars.next() {
            match c {
                '"' => {
                    pieces.push(piece);
                    self.at += place + 1;
                    return Ok(Pattern::of(pieces));
                }
                '*' => pieces.push(std::mem::take(&mut piece)),
                '\\' => match chars.next() {
                    Some((_, c @ ('"' | '\\' | '*'))) => piece.push(c),
                    _ => {
                        let hint =
                            "in quotes \\\" \\\\ and \\* are a quote, a backslash and a star";
                        return Err(self.error(self.at + place, "a backslash stands alone", hint));
                    }
                },
                c => piece.push(c),
            }
        }
        Err(self.error(start, "the quote is not closed", "close it with \""))
    }

    fn networks(&mut self) -> Parsed<Vec<IpNet>> {
        self.list(|parser| {
            let start = parser.at;
            let text = parser.plain()?;
            network(&text).ok_or_else(|| {
                let problem = format!("'{}' is neither an address nor a network", shown(&text));
                parser.error(
                    start,
                    problem,
                    "write ip:192.0.2.7, ip:10.0.0.0/8 or ip:2001:db8::/32",
                )
            })
        })
    }

    fn flag(&mut self) -> Parsed<bool> {
        let start = self.at;
        let text = self.plain()?.to_ascii_lowercase();
        match text.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.error(
                start,
                format!("'{}' is not known", shown(&text)),
                "readonly is true or false",
            )),
        }
    }

    fn moment(&mut self, start: usize, negated: bool, end: End, query: &mut Query) -> Parsed<()> {
        let at = self.at;
        let text = self.plain()?;
        let moment = Moment::parse(&text, end).ok_or_else(|| {
            let hint = "write 2026-01-31T12:00:00Z, 2026-01-31, seconds since 1970, or a span back from now \
                        such as 90s, 10m, 6h, 7d or 2w";
            self.error(at, format!("'{}' is not a time", shown(&text)), hint)
        })?;
        let slot = match end {
            End::Since => &mut query.since,
            End::Until => &mut query.until,
        };
        if negated || slot.is_some() {
            let hint = "since and until stand once each, and without -";
            return Err(self.error(start, "the span of time is said twice or negated", hint));
        }
        *slot = Some(moment);
        Ok(())
    }

    /// One value in which nothing is a wildcard.
    fn plain(&mut self) -> Parsed<String> {
        let start = self.at;
        let value = if self.peek() == Some('"') { self.quoted()? } else { self.bare(false)? };
        let text = value.as_literal().map(str::to_owned);
        text.ok_or_else(|| self.error(start, "this field has no wildcards", "write a whole value"))
    }
}

/// An address is the network that holds it alone.
fn network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse()).ok()?;
    Some(canonical(&network))
}

/// Results by the names that records have: `AccessDeniedException`, which clients see, is `AccessDenied` there.
pub(super) fn results(patterns: Vec<Pattern>) -> Condition {
    let written = |pattern: Pattern| {
        let known = pattern.as_literal().and_then(|text| {
            ErrorCode::ALL.iter().find(|code| code.wire().eq_ignore_ascii_case(text))
        });
        let other = known.filter(|code| code.wire() != code.trail_name());
        other.map_or(pattern, |code| Pattern::literal(code.trail_name()))
    };
    Condition::Says(Field::Result, patterns.into_iter().map(written).collect())
}

/// Written from its first address; an IPv4 address in IPv6 clothes is what it is.
pub(super) fn canonical(network: &IpNet) -> IpNet {
    match (network.prefix_len() == network.max_prefix_len(), network.addr().to_canonical()) {
        (true, address) => IpNet::from(address),
        (false, _) => network.trunc(),
    }
}
