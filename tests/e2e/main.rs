//! The service from outside, through its deployed routes, with IAM enforced. One binary, one file a
//! promise.
