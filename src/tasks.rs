//! Background tasks and their ordered shutdown.
