//! The program `osel`.

fn main() {}
