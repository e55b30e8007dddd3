//! `airlock completion`: what a shell needs to complete commands.

use clap::{Args, Command};
use clap_complete::Shell;

use super::Ui;
use crate::domain::Result;

/// Print the completion script of a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  airlock completion bash > /etc/bash_completion.d/airlock")]
pub(super) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &CompletionArgs, command: &mut Command, ui: &mut Ui) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "airlock", &mut script);
    ui.script(&script)
}
