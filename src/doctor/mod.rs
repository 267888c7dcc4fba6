//! The doctor: checks, findings and their fixes.
