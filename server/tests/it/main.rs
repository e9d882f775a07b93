//! What a user of Orgtide can name, tested through the library and through the binary.

mod database;
mod store;
