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

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_types::{Effect, Reason};

    /// Whatever else is said, a freeze refuses and is the reason; without one nothing is different.
    #[test]
    fn a_freeze_refuses_over_every_combination() {
        let frozen = [Matched {
            source: "freeze frz-1: why".to_owned(),
            sid: None,
            index: 0,
            allow: false,
            kind: None,
        }];
        for bits in 0..1_u32 << 16 {
            let bit = |place: u32| bits & 1 << place != 0;
            let tally = Tally {
                denied: bit(0).then_some(Layer::ResourceControlPolicy),
                rcp_ok: bit(1),
                scp_ok: bit(2),
                endpoint_ok: bit(3),
                service: bit(4),
                key_operation: bit(5),
                same_account: bit(6),
                cross_account_allowed: bit(7),
                names_caller: bit(8),
                names_entity: bit(9),
                names_account: bit(10),
                identity_allows: bit(11),
                root: bit(12),
                boundary_ok: bit(13),
                session_ok: bit(14),
                own_grant: bit(15),
            };
            let verdict = (Effect::ExplicitDeny, Reason::Denied(Layer::Freeze), 1);
            assert_eq!(weigh(tally, &frozen).verdict(), verdict, "{tally:?}");
            assert_eq!(weigh(tally, &[]), tally);
        }
    }
}
