use std::path::Path;

use crate::Failure;

pub(crate) const HELP: &str = "";

pub(crate) fn run(_root: &Path, _options: &[String]) -> Result<(), Failure> {
    Err(Failure::new("nothing to measure is there"))
}
