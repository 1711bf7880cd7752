//! Where the statements of an IAM document stand in its text.
//!
//! It finds; it does not check. A text that is no document has no places.

/// A line and a column, both from 1, counted in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

/// Start and end of each statement, in order; the end is the place after its last character.
pub fn statement_places(text: &str) -> Vec<(Place, Place)> {
    let mut reader = Reader { rest: text, place: Place { line: 1, column: 1 } };
    reader.statements().unwrap_or_default()
}

/// A reader of JSON that skips values. `None` wherever the text is not what it must be.
struct Reader<'t> {
    rest: &'t str,
    place: Place,
}

/// Values inside each other at most.
const DEPTH_MAX: usize = 64;

impl<'t> Reader<'t> {
    fn statements(&mut self) -> Option<Vec<(Place, Place)>> {
        let mut found = Vec::new();
        self.take('{')?;
        loop {
            let name = self.text()?;
            self.take(':')?;
            if name == "Statement" {
                found = self.list()?;
            } else {
                self.value(0)?;
            }
            self.white();
            match self.next()? {
                ',' => {}
                '}' => return Some(found),
                _ => return None,
            }
        }
    }

    /// The elements of a list, or the one value that stands for a list of one.
    fn list(&mut self) -> Option<Vec<(Place, Place)>> {
        self.white();
        if !self.rest.starts_with('[') {
            return Some(vec![self.span()?]);
        }
        let mut found = Vec::new();
        self.next()?;
        loop {
            found.push(self.span()?);
            self.white();
            match self.next()? {
                ',' => {}
                ']' => return Some(found),
                _ => return None,
            }
        }
    }

    fn span(&mut self) -> Option<(Place, Place)> {
        self.white();
        let start = self.place;
        self.value(0)?;
        Some((start, self.place))
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        self.white();
        match self.rest.chars().next().filter(|_| depth < DEPTH_MAX)? {
            '"' => self.text().map(drop),
            '{' => self.members('}', depth),
            '[' => self.members(']', depth),
            _ => {
                while self.rest.starts_with(|c: char| c.is_alphanumeric() || "+-.".contains(c)) {
                    self.next()?;
                }
                Some(())
            }
        }
    }

    fn members(&mut self, close: char, depth: usize) -> Option<()> {
        self.next()?;
        self.white();
        if self.rest.starts_with(close) {
            return self.next().map(drop);
        }
        loop {
            if close == '}' {
                self.white();
                self.text()?;
                self.take(':')?;
            }
            self.value(depth + 1)?;
            self.white();
            match self.next()? {
                ',' => {}
                c => return (c == close).then_some(()),
            }
        }
    }

    /// A text between quotes; escapes are left as they are written.
    fn text(&mut self) -> Option<&'t str> {
        self.take('"')?;
        let start = self.rest;
        loop {
            let read = start.len() - self.rest.len();
            match self.next()? {
                '"' => return start.get(..read),
                '\\' => {
                    self.next()?;
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        self.white();
        (self.next()? == wanted).then_some(())
    }

    fn white(&mut self) {
        while self.rest.starts_with([' ', '\t', '\n', '\r']) {
            let _ = self.next();
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        self.place = match c {
            '\n' => Place { line: self.place.line + 1, column: 1 },
            _ => Place { column: self.place.column + 1, ..self.place },
        };
        Some(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
