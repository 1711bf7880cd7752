//! `SimulateCustomPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulateCustomPolicy.html>

use super::identity_prelude::*;
use crate::{
    ask::simulator::{self, Given, Output, Simulation},
    layers::Layers,
};

pub(crate) struct SimulateCustomPolicy;

impl Operation for SimulateCustomPolicy {
    const SPEC: Spec = Spec {
        logged: &["ActionNames", "ResourceArns", "CallerArn"],
        ..iam_read(
            "SimulateCustomPolicy",
            "POST",
            "/v1/simulate-custom-policy",
            &[
                required("PolicyInputList", simulator::POLICY_INPUT_KIND),
                simulator::BOUNDARY_INPUT,
                simulator::ACTION_NAMES,
                simulator::RESOURCE_ARNS,
                simulator::RESOURCE_POLICY,
                simulator::RESOURCE_OWNER,
                simulator::CALLER_ARN,
                simulator::CONTEXT_ENTRIES,
                simulator::RESOURCE_HANDLING,
                MAX_ITEMS,
                IAM_MARKER,
            ],
        )
    };
    type Input = Given;
    type Output = Output;

    fn targets(_input: &Given) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, given: &Given) -> Result<Output, KmsError> {
        let policies = simulator::brought(call, "PolicyInputList", &given.policy_input_list)?;
        let boundary = given.boundary(call)?;
        let (caller, nobody) = simulator::caller(call, given.caller_arn.as_deref())?;
        let layers = Layers::default().supposing(Some(policies), boundary, None);
        Simulation { caller, nobody, layers, given }.run(call, "simulate-custom-policy")
    }
}
