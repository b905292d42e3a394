//! The importers and exporters against generated meshes, tables of what each format can say, and texts
//! that should be refused.

#![cfg(test)]

mod cloudformation;
mod command_line;
mod hostile;
mod kubernetes;
mod round_trip;
mod strategy;
mod terraform;
mod world;
