//! The pipeline against an emulated org.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod crash;
mod deletions;
mod drift;
mod faults;
mod giving_way;
mod id_sweep;
mod idle_crash;
mod memory;
mod org;
mod pages;
mod parity;
mod people;
mod proof;
mod refresh;
mod strategies;
mod truth_proof;
mod verify;
mod window;
