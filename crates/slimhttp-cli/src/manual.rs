//! What shells complete by, and the page for `man`. Both are generated from the commands and
//! flags of `options`, so that nothing can be missing; asked for by the commands `completion`
//! and `man`, which start no server.

use std::io::{self, Write as _};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

/// The name of the program in both, whatever it was called by.
const NAME: &str = "slimhttp";

/// The completion for a shell.
pub(crate) fn completion(mut command: Command, shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, NAME, &mut script);
    script
}

/// The page for `man`, with the options of every command.
///
/// # Errors
/// None, as it is written into memory.
pub(crate) fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut command = command.name(NAME).bin_name(NAME);
    command.build();
    let mut page = Vec::new();
    let commands: Vec<_> = command.get_subcommands().cloned().collect();
    let man = Man::new(command);
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    for command in commands {
        // What `help` takes are the names that stand above.
        if command.get_name() == "help" {
            continue;
        }
        let heading = format!("OPTIONS OF {}", command.get_name().to_uppercase());
        let mut options = Vec::new();
        Man::new(command).render_options_section(&mut options)?;
        let options = String::from_utf8_lossy(&options);
        page.write_all(options.replacen("OPTIONS", &format!("\"{heading}\""), 1).as_bytes())?;
    }
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests;
