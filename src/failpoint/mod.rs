//! Failpoints: named places at which a test holds the program, to kill it there.
//!
//! Owns the one directory through which tests and program meet: a point whose `<name>.hold` exists
//! writes `<name>.reached` and waits until the hold is gone. Only builds with debug assertions have
//! points; elsewhere they are empty. The directory is set once, by the door. siblings: none

mod point;

pub use point::{arm, reach};
