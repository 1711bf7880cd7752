//! Where key material comes from and where it is kept: made, imported, copied to a related key.
//!
//! Material is wrapped under its KMS key's own data-encryption key, which comes into being with the key and
//! goes with it. Which material is current is in the key's record, and the operations' business.
//!
//! INVARIANT: related multi-Region keys hold the same material under the same ids, each wrapped for itself.

use crate::{call::Call, wording};
use keyward_crypto::{CryptoError, Dek, KeyMaterial};
use keyward_types::{
    AccountId, ErrorCode, KeyName, KeyRecord, KeySpec, KmsError, MaterialId, MaterialRecord, Name,
    Record, Region,
    key::{DekRecord, MaterialInfo},
};

impl Call<'_> {
    /// Whether one more key may be made. Keys that are made at the same moment may go beyond by their number.
    pub(crate) fn check_key_quota(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<(), KmsError> {
        let most = self.engine().settings().quotas.keys_per_region;
        if self.store().customer_keys(account, region) < most {
            return Ok(());
        }
        let words = format!("Cannot exceed quota for KMS keys in an account and Region: {most}");
        Err(KmsError::new(ErrorCode::LimitExceeded, words))
    }

    /// New material of this spec, kept nowhere yet.
    pub(crate) fn make_material(&mut self, spec: KeySpec) -> Result<KeyMaterial, KmsError> {
        let provider = self.engine().world.provider;
        match self.preset.material.take() {
            Some(bytes) => KeyMaterial::import(provider, spec, bytes).map_err(|_| {
                KmsError::validation(format!("The material is not that of a {spec} key"))
            }),
            None => {
                KeyMaterial::generate(provider, spec, self.generator()).map_err(|error| match error
                {
                    CryptoError::Unsupported(spec) => wording::unsupported_spec(spec),
                    other => KmsError::internal(other),
                })
            }
        }
    }

    /// The data-encryption key of a KMS key that is being made. Proposes its record.
    pub(crate) fn new_dek(&mut self, name: &KeyName) -> Result<Dek, KmsError> {
        let keyring = &self.engine().world.keyring;
        let (dek, wrapped) =
            keyring.new_dek(&name.to_string(), self.generator()).map_err(KmsError::internal)?;
        self.put(Record::Dek(DekRecord { key: name.clone(), wrapped }));
        Ok(dek)
    }

    /// The data-encryption key that a KMS key has.
    pub(crate) fn dek(&self, name: &KeyName) -> Result<Dek, KmsError> {
        let stored = self.store().dek(name).map_err(KmsError::internal)?;
        let stored =
            stored.ok_or_else(|| KmsError::internal("the key's data-encryption key is missing"))?;
        let keyring = &self.engine().world.keyring;
        keyring.open_dek(&name.to_string(), &stored.wrapped).map_err(KmsError::internal)
    }

    pub(crate) fn fresh_material_id(&mut self) -> MaterialId {
        MaterialId(hex::encode(self.random::<32>()))
    }

    /// Proposes the record of a material of a key.
    pub(crate) fn keep_material(
        &mut self,
        name: &KeyName,
        dek: &Dek,
        material: &KeyMaterial,
        id: &MaterialId,
    ) -> Result<(), KmsError> {
        let wrapped = material
            .wrap(dek, &name.to_string(), &id.0, self.generator())
            .map_err(KmsError::internal)?;
        self.put(Record::Material(MaterialRecord { key: name.clone(), id: id.clone(), wrapped }));
        Ok(())
    }

    /// The first material of a key that is being made, and the public half of an asymmetric one.
    pub(crate) fn first_material(
        &mut self,
        name: &KeyName,
        spec: KeySpec,
    ) -> Result<(MaterialInfo, Option<Vec<u8>>), KmsError> {
        let material = self.make_material(spec)?;
        let dek = self.new_dek(name)?;
        let id = self.fresh_material_id();
        self.keep_material(name, &dek, &material, &id)?;
        Ok((MaterialInfo::made(id, self.now()), material.public_key_der()))
    }

    /// A key, and after it the keys related to it: what is shared changes in all of them.
    pub(crate) fn family(&mut self, key: &KeyRecord) -> Result<Vec<KeyRecord>, KmsError> {
        let related = self.related(key)?;
        Ok(core::iter::once(key.clone()).chain(related).collect())
    }

    /// The records of the keys that are related to a multi-Region key. The commit rests on them.
    pub(crate) fn related(&mut self, key: &KeyRecord) -> Result<Vec<KeyRecord>, KmsError> {
        let mut found = Vec::new();
        for name in key.related() {
            self.rest_on(Name::Key(name.clone()));
            let record = self.store().key(&name).map_err(KmsError::internal)?;
            let record = record.ok_or_else(|| KmsError::internal(format!("{name} is missing")))?;
            found.push(KeyRecord::clone(&record));
        }
        Ok(found)
    }
}
