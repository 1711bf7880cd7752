//! The spelling that was likely meant.

/// The candidate with the fewest changes, when they are few for the length of the text.
pub(super) fn nearest<'c>(
    text: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let text = text.to_lowercase();
    let most = (text.chars().count() / 4).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (distance(&text, &candidate.to_lowercase()), candidate))
        .filter(|(changes, _)| *changes <= most)
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, candidate)| candidate)
}

/// Texts longer than this are not misspelt names.
const LONG: usize = 256;

/// Characters to add, drop or replace, or two neighbours to swap.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len() > LONG || one.len().abs_diff(other.len()) > 4 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, c) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, d) in other.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut best =
                (at(&row, j) + usize::from(c != d)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped =
                i > 0 && j > 0 && one.get(i - 1) == Some(d) && other.get(j - 1) == Some(c);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found_and_nonsense_means_nothing() {
        let names = ["kms:Decrypt", "kms:Encrypt", "kms:ListKeys"];
        assert_eq!(nearest("kms:Decrpyt", names), Some("kms:Decrypt"));
        assert_eq!(nearest("KMS:decryp", names), Some("kms:Decrypt"));
        assert_eq!(nearest("kms:ListKey", names), Some("kms:ListKeys"));
        assert_eq!(nearest("kms:Launch", names), None);
        assert_eq!(nearest(&"x".repeat(100_000), names), None);
        assert_eq!(nearest("", names), None);
    }
}
