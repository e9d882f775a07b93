//! Redeems grants, alone.
