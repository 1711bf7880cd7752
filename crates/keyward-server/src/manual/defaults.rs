//! # Why the defaults are what they are
//!
//! - **`durability = "commit"` when serving, `relaxed` in development.** A key service whose log can lose
//!   the last decryption remembers nothing when it matters. On a developer's machine speed matters more.
//! - **Loopback only.** A port without TLS and reachable from elsewhere is a decision, not an accident.
//! - **One port.** Endpoints are configured once. What is open without a signature says nothing of keys,
//!   principals or addresses.
//! - **Any Region is served.** A client's Region is in its signature; keys of one Region are not seen in
//!   another.
//! - **512 KiB of body.** The largest member that the API allows, 256 KiB of attestation, fits in base64, and its
//!   own operation says what is wrong with one byte more.
//! - **Five minutes of signature window**, as at AWS; clients correct their clocks by the `Date` of an answer.
//! - **A worker for each core**, and as many heavy calls at once: more would only take turns.
//! - **Thirty seconds to drain**: longer than any request takes, shorter than orchestrators wait.
//! - **REST answers 201 to operations that begin with `Create`, 204 to those that answer nothing, else 200.**
//! - **Reading the log leaves no event when it was allowed**, so that a board that looks every few seconds
//!   does not fill the log that it looks at. A refused read leaves one.
