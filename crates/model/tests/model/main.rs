//! The model against generated specs, tables of rules, the workshop and botocore.

#![cfg(test)]

mod botocore;
mod drafts;
mod ids;
mod reading;
mod round_trip;
mod rules_of_changes;
mod rules_of_specs;
mod shares;
mod snapshots;
mod storage;
mod strategy;
mod tags;
mod workshop;
mod world;
