//! `SimulatePrincipalPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>
//!
//! The organization's service control policies count, as they do at AWS.

use super::identity_prelude::*;
use crate::{
    ask::Stated,
    ask::simulator::{self, Given, Output, Simulation},
};

pub(crate) struct SimulatePrincipalPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    policy_source_arn: String,
    #[serde(flatten)]
    given: Given,
}

impl Operation for SimulatePrincipalPolicy {
    const SPEC: Spec = Spec {
        logged: &["PolicySourceArn", "ActionNames", "ResourceArns", "CallerArn"],
        ..iam_read(
            "SimulatePrincipalPolicy",
            "POST",
            "/v1/simulate-principal-policy",
            &[
                required("PolicySourceArn", text(20, 2_048)),
                optional("PolicyInputList", simulator::POLICY_INPUT_KIND),
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
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Other(input.policy_source_arn.clone()))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (engine, asker) = (call.engine(), call.caller());
        let Input { policy_source_arn: source, given } = input;
        let group = format!("arn:aws:iam::{}:group/", asker.account);
        let (identity, own) = if let Some(path) = source.strip_prefix(&group) {
            let name = path.rsplit('/').next().unwrap_or(path);
            let identity = engine.identity_of_group(&asker.account, name)?;
            (identity.ok_or_else(|| no_such_entity("group", "name", name))?, None)
        } else {
            let stated = Stated { encryption_context: None, context: &[] };
            let principal = engine.suppose(asker, source, stated);
            let principal = principal.map_err(simulator::no_such_entity)?;
            if !matches!(principal.kind, CallerKind::User { .. } | CallerKind::RoleSession { .. }) {
                return Err(invalid_input("PolicySourceArn must be of a user, a group or a role"));
            }
            (engine.identity(&principal)?, Some(principal))
        };
        let (caller, nobody) = match (&given.caller_arn, own) {
            (None, Some(own)) => (own, false),
            (arn, _) => simulator::caller(call, arn.as_deref())?,
        };
        let mut policies = identity.documents.clone();
        policies.extend(simulator::brought(call, "PolicyInputList", &given.policy_input_list)?);
        let boundary = given.boundary(call)?;
        let layers =
            engine.layers_with(&caller, identity)?.supposing(Some(policies), boundary, None);
        Simulation { caller, nobody, layers, given }.run(call, "simulate-principal-policy")
    }
}
