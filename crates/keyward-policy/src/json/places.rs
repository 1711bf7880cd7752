//! Where in its text each element of a document stands.
//!
//! A second reading of a text that is JSON already; the lint and the simulator ask for it, so evaluation never
//! pays.
//!
//! INVARIANT: a lone value has its own path and the path of a list's first element, because the two mean
//! the same; below a lone Statement everything is under `Statement[0]`, as errors name it.

use std::collections::BTreeMap;

/// A line and a column, both from 1; a column is a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

/// Start and end of each statement of an IAM document, in order; the end is the place after its last character.
/// A text that is no document has none.
pub fn statement_places(text: &str) -> Vec<(Place, Place)> {
    let places = Places::read(text);
    (0..).map_while(|index| places.span(&format!("Statement[{index}]"))).collect()
}

/// The places of one text.
#[derive(Debug)]
pub(crate) struct Places<'t> {
    text: &'t str,
    /// Offset of each line's first byte.
    lines: Vec<usize>,
    /// Offsets by path, in the text's order: a doubled member has two.
    at: BTreeMap<String, Vec<usize>>,
    /// The offset after each value that stands in a list or alone, by path.
    ends: BTreeMap<String, usize>,
}

impl<'t> Places<'t> {
    /// A text that is not JSON has the places up to where it ends to be.
    pub(crate) fn read(text: &'t str) -> Self {
        let breaks = text.match_indices('\n').map(|(offset, _)| offset + 1);
        let mut scanner = Scanner { text, rest: text, at: BTreeMap::new(), ends: BTreeMap::new() };
        let mut path = String::new();
        // The reader that bounds how deep a text may be; this one is as deep.
        if super::Json::read(text).is_ok() {
            // What was read so far stands also when the rest is not as expected.
            scanner.value(&mut path).unwrap_or_default();
        }
        let lines = std::iter::once(0).chain(breaks).collect();
        Self { text, lines, at: scanner.at, ends: scanner.ends }
    }

    /// Where `path` stands, or the nearest thing around it that stands anywhere.
    pub(crate) fn of(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(offset) = self.at.get(path).and_then(|offsets| offsets.first()) {
                return self.at_offset(*offset);
            }
            let Some(end) = path.rfind(['.', '[']) else { break };
            path = path.get(..end).unwrap_or_default();
        }
        let start = self.text.len() - self.text.trim_start().len();
        self.at_offset(start)
    }

    /// Where a value that stands in a list or alone begins, and the place after it.
    fn span(&self, path: &str) -> Option<(Place, Place)> {
        let start = self.at.get(path)?.first()?;
        Some((self.at_offset(*start), self.at_offset(*self.ends.get(path)?)))
    }

    /// The second place of a member that stands twice.
    pub(crate) fn second(&self, path: &str) -> Option<Place> {
        self.at.get(path)?.get(1).map(|offset| self.at_offset(*offset))
    }

    pub(crate) fn at_offset(&self, offset: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.lines.get(line)).copied();
        let before = self.text.get(start.unwrap_or_default()..offset).unwrap_or_default();
        Place { line, column: before.chars().count() + 1 }
    }

    /// The place of a line and a column in bytes, both from 1, as serde has them.
    pub(crate) fn of_bytes(&self, line: usize, column: usize) -> Place {
        let start = line.checked_sub(1).and_then(|line| self.lines.get(line)).copied();
        let mut offset = start.unwrap_or_default() + column.saturating_sub(1);
        while !self.text.is_char_boundary(offset) && offset > 0 {
            offset -= 1;
        }
        self.at_offset(offset.min(self.text.len()))
    }
}

struct Scanner<'t> {
    text: &'t str,
    rest: &'t str,
    at: BTreeMap<String, Vec<usize>>,
    ends: BTreeMap<String, usize>,
}

impl<'t> Scanner<'t> {
    fn offset(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    fn record(&mut self, path: &str) {
        let offset = self.offset();
        self.at.entry(path.to_owned()).or_default().push(offset);
    }

    /// The next character that is no white space, not yet taken.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, c: char) -> bool {
        self.peek();
        let taken = self.rest.strip_prefix(c);
        self.rest = taken.unwrap_or(self.rest);
        taken.is_some()
    }

    fn value(&mut self, path: &mut String) -> Option<()> {
        match self.peek()? {
            '{' => self.object(path),
            '[' => self.list(path),
            '"' => self.string().map(drop),
            _ => {
                let end = self.rest.find([',', ']', '}', ' ', '\t', '\r', '\n']);
                self.rest = self.rest.get(end.unwrap_or(self.rest.len())..)?;
                Some(())
            }
        }
    }

    /// The raw text of a string, with its quotes.
    fn string(&mut self) -> Option<&'t str> {
        let mut escaped = false;
        let close = |(_, c): &(usize, char)| {
            let closes = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            closes
        };
        let (end, _) = self.rest.char_indices().skip(1).find(close)?;
        let (raw, rest) = self.rest.split_at_checked(end + 1)?;
        self.rest = rest;
        Some(raw)
    }

    fn object(&mut self, path: &mut String) -> Option<()> {
        let (length, top) = (path.len(), path.is_empty());
        self.take('{');
        while self.peek()? != '}' {
            let before = self.offset();
            let raw = self.string()?;
            let name: String = serde_json::from_str(raw).ok()?;
            if !top {
                path.push('.');
            }
            path.push_str(&name);
            self.at.entry(path.clone()).or_default().push(before);
            self.take(':');
            if self.peek()? == '[' {
                self.value(path)?;
            } else {
                let inside = path.len();
                path.push_str("[0]");
                self.record(path);
                if !(top && name == "Statement") {
                    path.truncate(inside);
                }
                self.value(path)?;
                self.ends.insert(path.clone(), self.offset());
            }
            path.truncate(length);
            self.take(',');
        }
        self.take('}');
        Some(())
    }

    fn list(&mut self, path: &mut String) -> Option<()> {
        let length = path.len();
        self.take('[');
        let mut index = 0;
        while self.peek()? != ']' {
            path.push_str(&format!("[{index}]"));
            self.record(path);
            self.value(path)?;
            self.ends.insert(path.clone(), self.offset());
            path.truncate(length);
            self.take(',');
            index += 1;
        }
        self.take(']');
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: usize, column: usize) -> Place {
        Place { line, column }
    }

    #[test]
    fn every_element_has_its_line_and_column() {
        let text = "{\n  \"Id\": \"é\\\"}\", \"Statement\": [\n    {\"Effect\": 1},\n    {\"Action\": [\"a\",\n      \"b\"], \"Condition\": {\"Null\": {\"a.b:c\": true}}}]}";
        let places = Places::read(text);
        for (path, expected) in [
            ("Id", place(2, 3)),
            ("Statement", place(2, 17)),
            ("Statement[0]", place(3, 5)),
            ("Statement[0].Effect", place(3, 6)),
            ("Statement[0].Effect[0]", place(3, 16)),
            ("Statement[1].Action[1]", place(5, 7)),
            ("Statement[1].Condition.Null.a.b:c", place(5, 36)),
            ("Statement[1].Resource", place(4, 5)),
            ("Nothing", place(1, 1)),
        ] {
            assert_eq!(places.of(path), expected, "{path}");
        }
    }

    #[test]
    fn a_lone_statement_and_a_doubled_member_are_found() {
        let places = Places::read("{\"Statement\": {\"Sid\": \"a\",\n\"Sid\": \"b\"}}");
        assert_eq!(places.of("Statement[0].Sid"), place(1, 16));
        assert_eq!(places.second("Statement[0].Sid"), Some(place(2, 1)));
        assert_eq!(places.second("Statement"), None);
    }

    #[test]
    fn what_is_no_json_has_a_place_too() {
        for text in ["", "{", "{\"a\": [\"é", "[[[", "{\"a\" 1}", "\u{feff}{}", "{\"é\": é}"] {
            let places = Places::read(text);
            assert_eq!(places.of("a.b[0]"), place(1, 1), "{text}");
            for column in 0..20 {
                assert!(places.of_bytes(1, column).column <= text.chars().count() + 1);
            }
        }
    }

    #[test]
    fn statements_are_found_in_lists_and_alone() {
        let at = |text: &str| -> Vec<(usize, usize, usize, usize)> {
            let places = statement_places(text).into_iter();
            places.map(|(a, b)| (a.line, a.column, b.line, b.column)).collect()
        };
        assert_eq!(at(r#"{"Statement":{"Sid":"a}\"{"}}"#), [(1, 14, 1, 29)]);
        let text = "{\n \"Version\": \"x\", \"Statement\": [\n  {\"A\": [1, {}]},\n  {\"é\": \"}\"\n  }\n ], \"Id\": true\n}";
        assert_eq!(at(text), [(3, 3, 3, 17), (4, 3, 5, 4)]);
        for bad in
            ["", "{", "[]", "{\"Statement\": [", "{\"Statement\": {\"a\"}}", &"{\"a\":".repeat(200)]
        {
            assert_eq!(at(bad), [], "{bad}");
        }
    }
}
