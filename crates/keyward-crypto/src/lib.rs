//! Primitives behind KMS algorithm names, key material, the key hierarchy, the ciphertext format.
