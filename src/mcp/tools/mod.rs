//! The tools, one file a family.
