//! Two wires, one typed batch: Bulk's CSV and REST's JSON side by side.
