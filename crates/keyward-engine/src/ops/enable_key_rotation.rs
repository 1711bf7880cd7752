//! `EnableKeyRotation` <https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html>
//!
//! Called again, it changes the period and counts from now.

use super::{
    prelude::*,
    rotation::{self, PERIOD_DAYS_DEFAULT, ROTATABLE, SCHEDULED},
};

pub(crate) struct EnableKeyRotation;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    rotation_period_in_days: Option<u16>,
}

impl Operation for EnableKeyRotation {
    const SPEC: Spec = Spec {
        states: ROTATABLE,
        origins: SCHEDULED,
        logged: &["KeyId", "RotationPeriodInDays"],
        errors: rotation::ERRORS,
        ..control(
            "EnableKeyRotation",
            "POST",
            "/v1/keys/{KeyId}/rotation",
            &[KEY_ID, optional("RotationPeriodInDays", Kind::Integer { min: 90, max: 2_560 })],
        )
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts.add("kms:RotationPeriodInDays", input.days().to_string());
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let key = call.key()?;
        let next = call.now().plus_days(input.days().into());
        rotation::change(call, key, |rotation| {
            rotation.enabled = true;
            rotation.period_days = input.days();
            rotation.next = Some(next);
        })?;
        Ok(Empty)
    }

    fn response_elements(call: &Call<'_>, _output: &Empty) -> Option<Value> {
        key_arn_element(call)
    }
}

impl Input {
    fn days(&self) -> u16 {
        self.rotation_period_in_days.unwrap_or(PERIOD_DAYS_DEFAULT)
    }
}
