use super::args::Cli;
use clap::CommandFactory;
use std::io::Write;
use std::process::ExitCode;

/// `patchbay man`: the manual page, commands included, on standard output in roff.
pub(super) fn run() -> ExitCode {
    let mut page = Vec::new();
    let mut cli = Cli::command();
    cli.build();
    let rendered = render(&cli, &mut page);
    let written = rendered.and_then(|()| std::io::stdout().write_all(&page));
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The page of the program, then a section of options for each command that people call.
fn render(cli: &clap::Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    clap_mangen::Man::new(cli.clone()).render(page)?;
    for command in cli.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        writeln!(page, ".SH \"PATCHBAY {}\"", command.get_name().to_uppercase())?;
        let man = clap_mangen::Man::new(command.clone());
        man.render_synopsis_section(page)?;
        man.render_description_section(page)?;
        man.render_options_section(page)?;
    }
    Ok(())
}
