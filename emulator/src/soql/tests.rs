//! Queries against a small org.
