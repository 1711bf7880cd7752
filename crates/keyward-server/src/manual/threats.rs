//! # Threat model
//!
//! ## Who is kept out
//!
//! - **Whoever reaches the port.** Nothing but health, metrics and the API description answers without a
//!   verified signature. Requests without one are counted and leave no event, so that they cannot fill the
//!   log. Bodies end at 512 KiB and 30 seconds, heads at 10 seconds, and connections are limited.
//! - **Whoever listens in between.** The port speaks no TLS. Off the loopback address it asks for
//!   `allow_remote_plaintext`, which says that something in front of it does. Signatures keep a listener from
//!   changing a request; they do not keep it from reading one, or from sending it again within five minutes.
//! - **A caller that is allowed little.** Every call is decided by policy before key material is reachable, and
//!   a key of another account sounds the same whether or not it exists.
//! - **A client that claims to be a service.** Headers that state condition keys count only from networks
//!   that the configuration names, and by default from none.
//! - **Whoever holds the disk, or a copy of it.** Everything stored is sealed under keys that come from the
//!   root key, each value for its own place. The data-encryption key of a deleted KMS key is destroyed, after
//!   which no copy of the journal opens its material.
//! - **Whoever changes the disk.** A changed, moved, missing or older value is noticed, and is not served.
//!   A store that was put back whole, with its checkpoints, is an older store and looks like one: only a
//!   checkpoint that somebody else has tells. What was witnessed of other logs stands in files; one that is
//!   missing is noticed, one that was put back is an older witness.
//!
//! ## Who is not
//!
//! - **The operator**, who holds the root key and the process.
//! - **Root on the machine**, who can read the process's memory.
//! - **The holder of a development store.** Its root key lies beside it, and its credentials are fixed.
//!
//! ## How far wiping goes
//!
//! Wiped when they are dropped: root and derived keys, data-encryption keys, key material, secret access keys,
//! signing keys, decoded plaintext and the bytes of an answer.
//!
//! Not wiped: what the HTTP library and the kernel copy on the way to and from the socket, the JSON values
//! between an answer's type and its bytes, what an allocator moved when a buffer grew, and pages that were
//! swapped out. Switch swap off, or encrypt it, and allow no core dumps.
//!
//! ## Timing
//!
//! Signatures and secrets are compared in constant time, and an unknown access key costs the work of a
//! verification. Whether an access key exists can still be read from the answer, as at AWS. RSA and ECDSA
//! private-key operations run in constant-time code by default; see
//! [`CryptoChoice`](crate::config::CryptoChoice).
