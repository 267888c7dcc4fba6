//! The codex backend: which binary, its configuration, the sidecar, the app-server client.
