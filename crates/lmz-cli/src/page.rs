//! Texts that are made of the command line's definition: completions of shells and the manual page.

use std::io;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use super::tree;

/// The script that completes command lines of lmz in a shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut tree::command(), "lmz", &mut out);
    out
}

/// The manual page, in roff: one document, since `man lmz` shows one, with a part for each command.
pub fn manual() -> io::Result<Vec<u8>> {
    // The renderer leaves out the help of options that the short help does not show.
    let mut command = whole(tree::command());
    command.build();
    let man = Man::new(command.clone());
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_options_section(&mut out)?;
    out.extend(b".SH COMMANDS\n");
    parts(&command, &mut out)?;
    let mut notes = Vec::new();
    man.render_extra_section(&mut notes)?;
    out.extend(String::from_utf8_lossy(&notes).replace(".SH EXTRA", ".SH NOTES").bytes());
    man.render_version_section(&mut out)?;
    Ok(out)
}

/// A command in which no option is hidden from the short help, and none below it.
fn whole(command: Command) -> Command {
    command.mut_args(|arg| arg.hide_short_help(false)).mut_subcommands(whole)
}

/// The parts of the commands below one.
fn parts(command: &Command, out: &mut Vec<u8>) -> io::Result<()> {
    let mut commands: Vec<&Command> = command.get_subcommands().collect();
    commands.sort_by_key(|command| command.get_display_order());
    for below in commands.into_iter().filter(|below| below.get_name() != "help") {
        let name = below.get_bin_name().unwrap_or_else(|| below.get_name());
        out.extend(format!(".SS {name}\n").bytes());
        let man = Man::new(below.clone());
        let mut part = Vec::new();
        man.render_description_section(&mut part)?;
        man.render_synopsis_section(&mut part)?;
        // The options of those that stand for options are above.
        let above = tree::ACTIONS.iter().any(|(word, ..)| *word == below.get_name());
        if !below.has_subcommands() && (!above || command.get_name() != "lmz") {
            man.render_options_section(&mut part)?;
        }
        man.render_extra_section(&mut part)?;
        // What are sections of a page of its own are paragraphs here.
        for line in String::from_utf8_lossy(&part).lines() {
            let line = if line.starts_with(".SH ") { ".PP" } else { line };
            out.extend(format!("{line}\n").bytes());
        }
        parts(below, out)?;
    }
    Ok(())
}
