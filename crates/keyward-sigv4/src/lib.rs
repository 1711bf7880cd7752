//! AWS Signature Version 4: canonical form, sign, verify.
