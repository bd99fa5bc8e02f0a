"""Crates: packages of Rust, as Cargo.lock pins them."""
