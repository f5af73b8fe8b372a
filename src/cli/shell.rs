//! What shells and `man` know of the commands: made from the one definition of them.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use super::{Done, out};
use arborlog::durable::{at, make_folders, write_unsynced};

/// Print the completions of a shell: put them where it looks for them.
///
/// bash: ~/.local/share/bash-completion/completions/arborlog; zsh: a file _arborlog in a folder of fpath;
/// fish: ~/.config/fish/completions/arborlog.fish.
#[derive(Args)]
pub struct CompletionsArgs {
    /// bash, zsh, fish, elvish or powershell.
    shell: Shell,
}

/// Print the manual page of arborlog, or write those of all commands.
#[derive(Args)]
pub struct ManArgs {
    /// Write a page for each command into this folder, such as ~/.local/share/man/man1.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn completions(args: &CompletionsArgs, mut command: Command) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "arborlog", &mut script);
    out::write(format_args!("{}", String::from_utf8_lossy(&script)));
    Ok(())
}

pub fn man(args: &ManArgs, command: Command) -> Done {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        out::write(format_args!("{}", String::from_utf8_lossy(&page)));
        return Ok(());
    };
    make_folders(folder)?;
    let mut all = command.disable_help_subcommand(true);
    // Names of commands within commands are joined as their files are.
    all.build();
    write_pages(folder, &all)
}

fn write_pages(folder: &std::path::Path, command: &Command) -> Done {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let path = folder.join(format!("{name}.1"));
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .map_err(at(&path))?;
    write_unsynced(&path, page)?;
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .try_for_each(|command| write_pages(folder, command))
}
