//! IAM documents, grants and conditions through Cedar: question in, decision out.
