//! The `patchbay-stdio` program: `patchbay stdio` under a name of its own, for hosts that take no arguments.

fn main() -> std::process::ExitCode {
    patchbay::cli::main_stdio()
}
