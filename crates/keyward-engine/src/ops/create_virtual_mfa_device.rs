//! `CreateVirtualMFADevice` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateVirtualMFADevice.html>
//!
//! The seed is shown once. There is no QR code: apps take the seed as text.

use super::identity_prelude::*;
use keyward_crypto::totp;
use keyward_types::MfaDeviceRecord;
use zeroize::Zeroizing;

pub(crate) struct CreateVirtualMFADevice;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    path: Option<String>,
    #[serde(rename = "VirtualMFADeviceName")]
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    #[serde(rename = "VirtualMFADevice")]
    device: Device,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Device {
    serial_number: String,
    /// Base 32, and as a blob in base 64 again.
    #[serde(rename = "Base32StringSeed", serialize_with = "secret")]
    seed: Zeroizing<String>,
}

/// Bytes of a seed: 64 characters of base 32.
const SEED_BYTES: usize = 40;

impl Operation for CreateVirtualMFADevice {
    const SPEC: Spec = iam(
        "CreateVirtualMFADevice",
        "POST",
        "/v1/virtual-mfa-devices",
        &[PATH, required("VirtualMFADeviceName", name_kind(226))],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        let path = input.path.as_deref().unwrap_or("/");
        Ok(vec![Target::of(Subject::NewPrincipal { kind: "mfa", path, name: &input.name })])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let account = call.caller().account.clone();
        call.rest_on(Name::MfaDevice(account.clone(), input.name.clone()));
        let taken = call.store().mfa_device(&account, &input.name).map_err(KmsError::internal)?;
        if taken.is_some() {
            return Err(KmsError::new(
                ErrorCode::IamEntityAlreadyExists,
                "MFADevice entity at the same path and name already exists.",
            ));
        }
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        call.fill(&mut *seed);
        let device = MfaDeviceRecord {
            account,
            name: input.name.clone(),
            path: input.path.clone().unwrap_or_else(|| "/".to_owned()),
            seed: seed.to_vec(),
            created: call.now(),
            user: None,
            enabled: None,
            last_step: 0,
        };
        let text = Zeroizing::new(totp::base32(&device.seed));
        let answer = Device {
            serial_number: device.serial_number(),
            seed: Zeroizing::new(base64::Engine::encode(
                &base64::engine::general_purpose::STANDARD,
                text.as_bytes(),
            )),
        };
        call.put(Record::MfaDevice(device));
        Ok(Output { device: answer })
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        Some(json!({"virtualMFADevice": {"serialNumber": output.device.serial_number}}))
    }
}
