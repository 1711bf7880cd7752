//! Prints a generated schema file: `facts`, `actions` or `guardrails`.
//!
//! `cargo run -p keyward-policy --example schema facts > policies/schema/facts.cedarschema`
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

fn main() {
    let text = match std::env::args().nth(1).as_deref() {
        Some("actions") => keyward_policy::actions_schema(),
        Some("guardrails") => keyward_policy::guardrails_schema(),
        _ => keyward_policy::facts_schema(),
    };
    print!("{text}");
}
