//! The API as its clients meet it: requests in, responses out, over a store.

#![cfg(test)]

mod botocore;
mod changes;
mod concurrency;
mod failures;
mod fixture;
mod idempotency;
mod operations;
mod paging;
mod quotas;
mod refusals;
mod tagging;
