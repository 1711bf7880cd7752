//! Known answers of RFC 8032: sections 7.1 (Ed25519) and 7.3 (Ed25519ph).
