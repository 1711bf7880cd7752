//! The decision table in Rust and in Cedar say the same, over every combination.

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, RestrictedExpression,
};
use keyward_policy::Tally;
use keyward_types::{Effect, Layer};

const COMPOSE: &str = include_str!("../../../../policies/base/compose.cedar");
const NAMES: [&str; 16] = [
    "denied",
    "rcpOk",
    "scpOk",
    "endpointOk",
    "service",
    "keyOperation",
    "sameAccount",
    "crossAccountAllowed",
    "namesCaller",
    "namesEntity",
    "namesAccount",
    "identityAllows",
    "root",
    "boundaryOk",
    "sessionOk",
    "ownGrant",
];

fn tally(bits: [bool; 16]) -> Tally {
    let [
        denied,
        rcp_ok,
        scp_ok,
        endpoint_ok,
        service,
        key_operation,
        same_account,
        cross_account_allowed,
        rest @ ..,
    ] = bits;
    let [
        names_caller,
        names_entity,
        names_account,
        identity_allows,
        root,
        boundary_ok,
        session_ok,
        own_grant,
    ] = rest;
    Tally {
        denied: denied.then_some(Layer::KeyPolicy),
        rcp_ok,
        scp_ok,
        endpoint_ok,
        service,
        key_operation,
        same_account,
        cross_account_allowed,
        names_caller,
        names_entity,
        names_account,
        identity_allows,
        root,
        boundary_ok,
        session_ok,
        own_grant,
    }
}

#[test]
fn rust_and_cedar_compose_alike() {
    let policies: PolicySet = COMPOSE.parse().expect("compose.cedar");
    let uid = |text: &str| text.parse::<EntityUid>().expect("an entity");
    let (principal, action, resource) =
        (uid("User::\"u\""), uid("Action::\"compose\""), uid("Key::\"k\""));
    for combination in 0..1_u32 << NAMES.len() {
        let bits: [bool; 16] = std::array::from_fn(|bit| combination >> bit & 1 == 1);
        let pairs = NAMES
            .iter()
            .zip(bits)
            .map(|(name, bit)| ((*name).to_owned(), RestrictedExpression::new_bool(bit)));
        let context = Context::from_pairs(pairs).expect("a context");
        let request =
            Request::new(principal.clone(), action.clone(), resource.clone(), context, None)
                .expect("a request");
        let response = Authorizer::new().is_authorized(&request, &policies, &Entities::empty());
        assert_eq!(response.diagnostics().errors().count(), 0);
        let rows: Vec<u8> = response
            .diagnostics()
            .reason()
            .map(|id| policies.annotation(id, "row").expect("a row").parse().expect("a number"))
            .collect();
        let (effect, reason, row) = tally(bits).verdict();
        let allowed = response.decision() == Decision::Allow;
        assert_eq!(
            allowed,
            effect == Effect::Allow,
            "{bits:?}: {reason:?}, Cedar says rows {rows:?}"
        );
        // The row that decides in Rust is one that Cedar names; a refusal without a forbid has no row there.
        let silent = matches!(row, 11..=15) || row == 17 && !allowed;
        assert!(
            rows.contains(&row) || silent && rows.is_empty(),
            "{bits:?}: row {row}, Cedar says {rows:?}"
        );
        assert_eq!(effect == Effect::ExplicitDeny, rows.contains(&1));
    }
}
