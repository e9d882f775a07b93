//! Clients that nobody here wrote, pointed at the emulated org.

use std::path::Path;

use crate::{Failure, setup::Tools};

pub(crate) fn run(_root: &Path, _tools: &Tools) -> Result<(), Failure> {
    Ok(())
}
