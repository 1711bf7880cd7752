//! Events in CloudTrail's form, and the questions asked of them.
