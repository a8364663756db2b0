//! Tasks of the house: `cargo xtask tidy`, and what people and CI do beyond `cargo`.

mod bench;
mod examples;
mod lab;
mod new;
mod tidy;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check what the compiler does not: direction of imports, length of files, headers.
    Tidy,
    /// Make the snapshots of the examples anew from their trees.
    Examples {
        /// Only tell which are not current.
        #[arg(long)]
        check: bool,
    },
    /// Write the files of a new rule.
    NewRule {
        /// `area/slug`.
        id: String,
    },
    /// Write the files of a new source.
    NewSource {
        /// Its name: small letters and `_`.
        name: String,
    },
    /// Write a host of 500 guests, and a site of such hosts, to measure with.
    BenchHosts(bench::Args),
    /// Real machines to try things on, and real boots of random fstabs.
    Lab(lab::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        // The causes alone: RUST_BACKTRACE is set for what the tasks start.
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Tidy => {
            tidy::run()?;
            examples::run(true)
        }
        Task::Examples { check } => examples::run(check),
        Task::BenchHosts(args) => bench::run(&args),
        Task::Lab(args) => lab::run(args),
        Task::NewRule { id } => new::rule(&id),
        Task::NewSource { name } => new::source(&name),
    }
}

/// The root of the repository.
fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
