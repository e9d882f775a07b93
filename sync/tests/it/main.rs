//! The pipeline against an emulated org.

mod crash;
mod faults;
mod memory;
mod org;
mod parity;
mod window;
