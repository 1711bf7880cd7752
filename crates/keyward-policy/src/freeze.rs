//! Freezes in a decision: what a responder put out of use is refused, whatever else is said.
//!
//! Who is frozen is the asker's to find out; here it is a layer of its own, which only forbids.
//!
//! INVARIANT: a freeze is the reason that is told, also where other layers deny: who looks for it must find it.

use crate::table::Tally;
use keyward_types::{Layer, LayerEffect, LayerOutcome, Matched};

/// Lets freezes into the decision table.
pub(crate) fn weigh(tally: Tally, frozen: &[Matched]) -> Tally {
    if frozen.is_empty() { tally } else { Tally { denied: Some(Layer::Freeze), ..tally } }
}

/// Freezes as a layer of the decision; `None` where there are none.
pub(crate) fn layer(frozen: &[Matched]) -> Option<LayerOutcome> {
    let outcome = || LayerOutcome {
        layer: Layer::Freeze,
        effect: LayerEffect::ExplicitDeny,
        matched: frozen.to_vec(),
        near: Vec::new(),
    };
    (!frozen.is_empty()).then(outcome)
}
