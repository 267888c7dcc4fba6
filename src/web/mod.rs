//! HTTP: router, guard, authentication, health.
