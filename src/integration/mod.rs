//! Bringing a worker's result into the base: preview, apply, verify, undo ref.
