//! The index of events by term: which events of each run of 16,384 have a term.
//!
//! The newest run is in memory and is made again from the log at start. A run is written once, when it is full, in the
//! batch that fills it: its terms in order, cut into 512 pieces by their first bits. So an event costs about as many
//! bytes as it has terms, an entry of sled holds the terms of some thirty events, and a search reads one piece a run.
//! Index entries are not sealed: what they lead to is, and verifying compares them with the log.
//!
//! A piece is, term after term: the term in 8 bytes, a length in 2, and the positions that have it, each as its
//! distance from the one before in the form of LEB128; or, where that is shorter, [`MAPPED`] for a length, and a bit a
//! position.
//!
//! INVARIANT: what is in memory and what is in sled are of different runs, also while a run is written: who looks at
//! both holds the lock under which that happens.

use crate::{
    StoreError,
    bytes::Cursor,
    shared::{Entry, FindPiece, PIECE_BYTES},
    tree,
};

/// Events in a run.
pub(crate) const RUN_EVENTS: u64 = 16_384;
/// Pieces of a run.
pub(crate) const PIECES: u16 = 512;
const WORDS: usize = 256;
const _: () = assert!(WORDS as u64 * 64 == RUN_EVENTS, "a bit for each event of a run");
const MAPPED: u16 = u16::MAX;

/// The piece that a term is in.
pub(crate) fn piece_of(term: u64) -> u16 {
    u16::try_from(term >> 55).unwrap_or(u16::MAX)
}

/// Which events of a run have a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits(Box<[u64; WORDS]>);

impl Bits {
    pub(crate) fn none() -> Self {
        Self(Box::new([0; WORDS]))
    }

    pub(crate) fn all() -> Self {
        Self(Box::new([u64::MAX; WORDS]))
    }

    pub(crate) fn set(&mut self, position: u16) {
        if let Some(word) = self.0.get_mut(usize::from(position / 64)) {
            *word |= 1 << (position % 64);
        }
    }

    pub(crate) fn and(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0.iter()) {
            *mine &= theirs;
        }
    }

    pub(crate) fn or(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0.iter()) {
            *mine |= theirs;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Positions in rising order.
    pub(crate) fn positions(&self) -> Vec<u16> {
        let mut found = Vec::new();
        for (word, base) in self.0.iter().zip((0..u16::MAX).step_by(64)) {
            let mut rest = *word;
            while rest != 0 {
                found.push(base + u16::try_from(rest.trailing_zeros()).unwrap_or(0));
                rest &= rest - 1;
            }
        }
        found
    }
}

/// Writes what a piece says of one term.
fn push_term(out: &mut Vec<u8>, term: u64, positions: &[u16]) {
    let mut listed = Vec::with_capacity(positions.len() * 2);
    let mut before = 0;
    for position in positions {
        let mut rest = position - before;
        before = *position;
        while 0x7f < rest {
            listed.push(0x80 | u8::try_from(rest & 0x7f).unwrap_or(0));
            rest >>= 7;
        }
        listed.push(u8::try_from(rest).unwrap_or(0));
    }
    out.extend_from_slice(&term.to_be_bytes());
    if listed.len() <= WORDS * 8 {
        out.extend_from_slice(&u16::try_from(listed.len()).unwrap_or(MAPPED).to_be_bytes());
        out.extend_from_slice(&listed);
        return;
    }
    let mut bits = Bits::none();
    positions.iter().for_each(|position| bits.set(*position));
    out.extend_from_slice(&MAPPED.to_be_bytes());
    bits.0.iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
}

/// The next term of a piece, and what is said of it, unread.
fn next_term<'p>(cursor: &mut Cursor<'p>) -> Option<(u64, u16, &'p [u8])> {
    let (term, length) = (cursor.u64()?, cursor.u16()?);
    let bytes = if length == MAPPED { WORDS * 8 } else { length.into() };
    Some((term, length, cursor.take(bytes)?))
}

fn read_bits(length: u16, said: &[u8]) -> Option<Bits> {
    let mut bits = Bits::none();
    let mut cursor = Cursor(said);
    if length == MAPPED {
        for word in bits.0.iter_mut() {
            *word = cursor.u64()?;
        }
        return Some(bits);
    }
    let mut position = 0_u16;
    while !cursor.is_empty() {
        let (mut distance, mut shift) = (0_u16, 0);
        loop {
            let byte = cursor.u8()?;
            distance |= u16::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                break;
            }
            shift += 7;
        }
        position = position.checked_add(distance)?;
        bits.set(position);
    }
    Some(bits)
}

fn damaged() -> StoreError {
    StoreError::bad_value("an entry of the index of events does not decode")
}

/// What a piece says of a term; `None` when it does not name it.
pub(crate) fn find(piece: &[u8], term: u64) -> Result<Option<Bits>, StoreError> {
    let mut cursor = Cursor(piece);
    while !cursor.is_empty() {
        let (found, length, said) = next_term(&mut cursor).ok_or_else(damaged)?;
        if found == term {
            return read_bits(length, said).map(Some).ok_or_else(damaged);
        }
        if term < found {
            break;
        }
    }
    Ok(None)
}

/// The same piece without the events before a position.
pub(crate) fn without_before(piece: &[u8], from: u16) -> Result<Vec<u8>, StoreError> {
    let (mut cursor, mut out) = (Cursor(piece), Vec::new());
    while !cursor.is_empty() {
        let (term, length, said) = next_term(&mut cursor).ok_or_else(damaged)?;
        let mut positions = read_bits(length, said).ok_or_else(damaged)?.positions();
        positions.retain(|position| from <= *position);
        if !positions.is_empty() {
            push_term(&mut out, term, &positions);
        }
    }
    Ok(out)
}

/// A piece as entries of sled: cut to what a value may hold, with the number of parts in front of the first.
pub(crate) fn entries(piece: u16, run: u64, bytes: &[u8]) -> Vec<Entry> {
    let parts = bytes.chunks(PIECE_BYTES - 2);
    let count = u16::try_from(parts.len()).unwrap_or(u16::MAX);
    let entry = |(part, number): (&[u8], u16)| {
        let mut value = if number == 0 { count.to_be_bytes().to_vec() } else { Vec::new() };
        value.extend_from_slice(part);
        (tree::term_piece(piece, run, number), value)
    };
    parts.zip(0..=u16::MAX).map(entry).collect()
}

/// Reads a piece; `None` when the run has none of that number.
pub(crate) fn read_piece(
    piece: u16,
    run: u64,
    get: &mut FindPiece<'_>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(first) = get(&tree::term_piece(piece, run, 0))? else { return Ok(None) };
    let mut cursor = Cursor(&first);
    let count = cursor.u16().ok_or_else(damaged)?;
    let mut bytes = cursor.0.to_vec();
    for number in 1..count {
        let part = get(&tree::term_piece(piece, run, number))?.ok_or_else(damaged)?;
        bytes.extend_from_slice(&part);
    }
    Ok(Some(bytes))
}

/// A term, and the position in its run of an event that has it.
type Filed = (u64, u16);

/// The run that is not yet full.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenRun {
    pub(crate) number: u64,
    /// What will stand in each piece, as it came: so with rising positions. Empty before the first event.
    pieces: Vec<Vec<Filed>>,
}

impl OpenRun {
    /// The run that the event with this number goes to, empty.
    pub(crate) fn at(event: u64) -> Self {
        Self { number: event / RUN_EVENTS, ..Self::default() }
    }

    /// Takes in the terms of an event; answers the entries of the run when that fills it.
    pub(crate) fn add(&mut self, number: u64, terms: impl IntoIterator<Item = u64>) -> Vec<Entry> {
        let position = u16::try_from(number % RUN_EVENTS).unwrap_or(u16::MAX);
        self.pieces.resize_with(usize::from(PIECES), Vec::new);
        for term in terms {
            if let Some(piece) = self.pieces.get_mut(usize::from(piece_of(term))) {
                piece.push((term, position));
            }
        }
        if (number + 1).is_multiple_of(RUN_EVENTS) { self.close() } else { Vec::new() }
    }

    fn close(&mut self) -> Vec<Entry> {
        let mut found = Vec::new();
        let mut positions = Vec::new();
        for (filed, piece) in self.pieces.iter_mut().zip(0..PIECES) {
            filed.sort_unstable();
            filed.dedup();
            let mut bytes = Vec::new();
            for of_term in filed.chunk_by(|one, next| one.0 == next.0) {
                positions.clear();
                positions.extend(of_term.iter().map(|(_, position)| *position));
                of_term
                    .first()
                    .iter()
                    .for_each(|(term, _)| push_term(&mut bytes, *term, &positions));
            }
            found.extend(entries(piece, self.number, &bytes));
            filed.clear();
        }
        self.number += 1;
        found
    }

    /// Which events of this run have a term of every clause.
    pub(crate) fn matching(&self, clauses: &[Vec<u64>]) -> Bits {
        let mut bits = Bits::all();
        for clause in clauses {
            let mut either = Bits::none();
            for term in clause {
                let piece = self.pieces.get(usize::from(piece_of(*term)));
                let of_term = piece.into_iter().flatten().filter(|(filed, _)| filed == term);
                of_term.for_each(|(_, position)| either.set(*position));
            }
            bits.and(&either);
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(step: usize) -> Vec<u16> {
        (0..u16::try_from(RUN_EVENTS).unwrap()).step_by(step).collect()
    }

    #[test]
    fn a_piece_says_what_was_put_into_it_in_both_forms() {
        let steps = [1, 2, 7, 200, 1_023, 16_383];
        let mut piece = Vec::new();
        for (term, step) in (10..).zip(steps) {
            push_term(&mut piece, term * 3, &positions(step));
        }
        assert!(piece.len() < 3 * 2_048 + 2_400);
        for (term, step) in (10..).zip(steps) {
            let bits = find(&piece, term * 3).unwrap().unwrap();
            assert_eq!(bits.positions(), positions(step));
            assert_eq!(find(&piece, term * 3 + 1).unwrap(), None);
        }
        assert_eq!(find(&piece, 0).unwrap(), None);
        let rest = without_before(&piece, 16_000).unwrap();
        let bits = find(&rest, 30).unwrap().unwrap();
        assert_eq!(bits.positions(), positions(1)[16_000..]);
        assert_eq!(find(&without_before(&piece, 16_384 - 1).unwrap(), 33).unwrap(), None);
        for cut in [1, 9, 11, piece.len() - 1] {
            assert!(find(&piece[..cut], u64::MAX).is_err(), "{cut}");
        }
    }

    #[test]
    fn a_piece_is_cut_and_joined_again() {
        let bytes: Vec<u8> = (0..10_000_u32).flat_map(u32::to_be_bytes).collect();
        let entries = entries(7, 9, &bytes);
        assert!(entries.iter().all(|(_, value)| value.len() <= PIECE_BYTES));
        let mut get = |key: &[u8]| {
            let found = entries.iter().find(|(other, _)| other == key);
            Ok(found.map(|(_, value)| value.clone()))
        };
        assert_eq!(read_piece(7, 9, &mut get).unwrap().unwrap(), bytes);
        assert_eq!(read_piece(7, 8, &mut get).unwrap(), None);
        assert!(super::entries(7, 9, &[]).is_empty());
    }
}
