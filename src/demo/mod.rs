//! The demo: the whole way of one turn, offline, on a disposable repository.
