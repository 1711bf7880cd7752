//! YAML as a tree in which every value knows where it stands.
//!
//! The parser is the library's; here its events become a tree, with what a test file has no use for refused:
//! several documents, tags, members that stand twice, values nested without end.
//! Source: <https://yaml.org/spec/1.2.2/#chapter-10-recommended-schemas>

use crate::fault::Wrong;
use keyward_policy::Place;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// How deep values may nest.
const DEPTH_MAX: usize = 64;
/// Values of one file, those that aliases repeat included.
const NODES_MAX: usize = 200_000;

/// A value and where it stands; `end` is the place after it, or after blanks that follow it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Place,
    pub(crate) end: Place,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// `plain`: without quotes, so that it may be `null`, a number or a truth value.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Reads a text that holds one document; `None` where there is nothing in it.
    pub(crate) fn read(text: &str) -> Result<Option<Self>, Wrong> {
        let mut builder = Builder {
            parser: Parser::new_from_str(text.trim_start_matches('\u{feff}')),
            anchors: BTreeMap::new(),
            nodes: 0,
        };
        builder.document()
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// A scalar as it was written.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    pub(crate) fn truth(&self) -> Option<bool> {
        match &self.kind {
            Kind::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// What stands in a list; a value that stands alone is a list of one, and `null` one of none.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ if self.is_null() => &[],
            _ => core::slice::from_ref(self),
        }
    }

    /// What it is, for a message.
    pub(crate) fn what(&self) -> &'static str {
        match &self.kind {
            _ if self.is_null() => "nothing",
            Kind::Scalar { .. } => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// The value by YAML's core schema.
    pub(crate) fn json(&self) -> Value {
        match &self.kind {
            Kind::List(items) => Value::Array(items.iter().map(Self::json).collect()),
            Kind::Map(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, value)| (name.text().unwrap_or_default().to_owned(), value.json()))
                    .collect::<Map<_, _>>(),
            ),
            Kind::Scalar { .. } if self.is_null() => Value::Null,
            Kind::Scalar { text, plain } => {
                let number = || text.parse::<Number>().ok().filter(|_| *plain).map(Value::Number);
                self.truth()
                    .map(Value::Bool)
                    .or_else(number)
                    .unwrap_or_else(|| Value::String(text.clone()))
            }
        }
    }
}

struct Builder<'t> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
}

fn place(marker: Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

impl<'t> Builder<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Wrong> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(Wrong::new(
                place(*error.marker()),
                format!("this is not YAML: {}", error.info()),
            )),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Wrong> {
        let mut whole: Option<Node> = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(whole.filter(|node| !node.is_null())),
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => {}
                _ if whole.is_some() => {
                    return Err(Wrong::new(
                        place(span.start),
                        "a second document begins here; a file holds one",
                    ));
                }
                event => whole = Some(self.node(event, span, 0)?),
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Wrong> {
        let at = place(span.start);
        self.nodes += 1;
        if DEPTH_MAX < depth || NODES_MAX < self.nodes {
            return Err(Wrong::new(at, "the file holds more than a test file may"));
        }
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, None) => {
                let plain = style == ScalarStyle::Plain;
                let kind = Kind::Scalar { text: text.into_owned(), plain };
                (Node { at, end: place(span.end), kind }, anchor)
            }
            Event::SequenceStart(anchor, None) => (self.list(at, depth)?, anchor),
            Event::MappingStart(anchor, None) => (self.map(at, depth)?, anchor),
            Event::Alias(anchor) => return self.alias(anchor, at, place(span.end)),
            Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) => {
                return Err(Wrong::new(at, "tags such as !!str have no meaning here"));
            }
            _ => return Err(Wrong::new(at, "a value is missing here")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, at: Place, depth: usize) -> Result<Node, Wrong> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                let end = place(span.end);
                return Ok(Node { at, end, kind: Kind::List(items) });
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, at: Place, depth: usize) -> Result<Node, Wrong> {
        let mut members: Vec<(Node, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                let end = place(span.end);
                return Ok(Node { at, end, kind: Kind::Map(members) });
            }
            let name = self.node(event, span, depth + 1)?;
            let Some(text) = name.text().map(str::to_owned) else {
                return Err(Wrong::new(name.at, "a member's name is a text"));
            };
            if let Some((first, _)) =
                members.iter().find(|(known, _)| known.text() == Some(text.as_str()))
            {
                return Err(Wrong::new(
                    name.at,
                    format!("{text} stands twice; first in line {}", first.at.line),
                ));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            members.push((name, value));
        }
    }

    fn alias(&mut self, anchor: usize, at: Place, end: Place) -> Result<Node, Wrong> {
        let node = self
            .anchors
            .get(&anchor)
            .cloned()
            .ok_or_else(|| Wrong::new(at, "this alias stands within its own anchor"))?;
        self.nodes += count(&node);
        if NODES_MAX < self.nodes {
            return Err(Wrong::new(at, "the file holds more than a test file may"));
        }
        Ok(Node { at, end, ..node })
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar { .. } => 0,
        Kind::List(items) => items.iter().map(count).sum(),
        Kind::Map(members) => members.iter().map(|(_, value)| 1 + count(value)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> (usize, usize, String) {
        let Wrong { at, message } = Node::read(text).unwrap_err();
        (at.line, at.column, message)
    }

    #[test]
    fn values_know_where_they_stand() {
        let node = Node::read("a: 1\nb:\n  - x\n  - {y: 'ü z'}\n").unwrap().unwrap();
        let Kind::Map(members) = &node.kind else { panic!() };
        let list = members[1].1.items();
        assert_eq!((list[0].at.line, list[0].at.column, list[0].end.column), (3, 5, 6));
        let Kind::Map(inner) = &list[1].kind else { panic!() };
        assert_eq!((inner[0].1.at.line, inner[0].1.at.column, inner[0].1.end.column), (4, 9, 14));
        assert_eq!(node.json(), serde_json::json!({"a": 1, "b": ["x", {"y": "ü z"}]}));
    }

    #[test]
    fn the_core_schema_is_read() {
        let text = "[null, ~, true, 'true', 12, \"12\", 1.5, 012, no, x]";
        let node = Node::read(text).unwrap().unwrap();
        let wanted = serde_json::json!([null, null, true, "true", 12, "12", 1.5, "012", "no", "x"]);
        assert_eq!(node.json(), wanted);
        // Twelve digits are an account, and stay as written.
        let node = Node::read("a: 001122223333").unwrap().unwrap();
        let Kind::Map(members) = &node.kind else { panic!() };
        assert_eq!(members[0].1.text(), Some("001122223333"));
    }

    #[test]
    fn anchors_repeat_and_cannot_swell() {
        let node = Node::read("a: &x {k: v}\nb: *x\n").unwrap().unwrap();
        assert_eq!(node.json(), serde_json::json!({"a": {"k": "v"}, "b": {"k": "v"}}));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let before = level - 1;
            let many = vec![format!("*a{before}"); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{many}]\n"));
        }
        assert!(wrong(&bomb).2.contains("more than a test file may"));
        let deep = format!("{}x{}", "[".repeat(100), "]".repeat(100));
        assert!(wrong(&deep).2.contains("more than a test file may"));
    }

    #[test]
    fn what_is_refused_is_refused_at_its_place() {
        assert_eq!(wrong("a: 1\nb: 2\na: 3\n"), (3, 1, "a stands twice; first in line 1".into()));
        assert_eq!(wrong("a: !!str 1\n").2, "tags such as !!str have no meaning here");
        assert_eq!(wrong("a: 1\n---\nb: 2\n").0, 3);
        let (line, _, message) = wrong("a: [1, 2\nb: 3\n");
        assert!(2 <= line && message.starts_with("this is not YAML: "), "{line} {message}");
        assert!(Node::read("").unwrap().is_none());
        assert!(Node::read("# nothing\n---\n").unwrap().is_none());
    }
}
