//! What a test takes from the environment: how long it goes on, and from which seed. Without them it is as CI runs it.
//!
//! A value that cannot be read fails the test: a run that is shorter than was asked for would look like a pass.

/// How often something is done: `KEYWARD_ROUNDS`, or as often as in CI.
///
/// # Panics
/// When the variable is no number, or nothing would be done.
#[track_caller]
pub fn rounds(in_ci: u32) -> u32 {
    read("KEYWARD_ROUNDS").map_or(in_ci, |text| rounds_of(&text))
}

fn rounds_of(text: &str) -> u32 {
    let rounds = text.parse().ok().filter(|rounds| 0 < *rounds);
    rounds.unwrap_or_else(|| panic!("KEYWARD_ROUNDS={text} is no number of rounds"))
}

/// `KEYWARD_SEED` in hexadecimal, or another; printed, so that it can be given again.
///
/// # Panics
/// When the variable is no hexadecimal number.
#[track_caller]
#[expect(clippy::print_stdout, reason = "a failure shows what the test printed")]
pub fn seed(otherwise: u64) -> u64 {
    let seed = read("KEYWARD_SEED").map_or(otherwise, |text| seed_of(&text));
    println!("KEYWARD_SEED={seed:#x}");
    seed
}

fn seed_of(text: &str) -> u64 {
    let seed = u64::from_str_radix(text.trim_start_matches("0x"), 16);
    seed.unwrap_or_else(|_| panic!("KEYWARD_SEED={text} is not hexadecimal"))
}

#[expect(clippy::disallowed_methods, reason = "knobs of the test suite, read by tests alone")]
fn read(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn what_cannot_be_read_fails_the_test() {
        assert_eq!((rounds_of("500"), seed_of("0x1f"), seed_of("1f")), (500, 31, 31));
        for bad in ["", "0", "-1", "many", "5e2"] {
            assert!(catch_unwind(|| rounds_of(bad)).is_err(), "{bad}");
        }
        for bad in ["", "0x", "seed"] {
            assert!(catch_unwind(|| seed_of(bad)).is_err(), "{bad}");
        }
    }
}
