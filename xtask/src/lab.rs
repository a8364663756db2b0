//! `cargo xtask lab`: the lab's machines for people.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Subcommand;
use lab::corpus::{Record, Series};
use lab::fstabs::Place;
use lab::qemu::Clock;
use lab::{Machine, Variant};

/// Arguments of `cargo xtask lab`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Builds image and snapshot where they are missing, and tells the times.
    Build {
        /// The variant with libvirt and QEMU inside too.
        #[arg(long)]
        libvirt: bool,
        /// What `./test` uses; the long tests make the rest.
        #[arg(long)]
        all: bool,
    },
    /// Goes on from the snapshot; each line of standard input is a command.
    Shell {
        /// The variant with libvirt and QEMU inside.
        #[arg(long)]
        libvirt: bool,
        /// Not emulated: a kernel as a program.
        #[arg(long)]
        user_mode: bool,
        /// Files to copy into /root first.
        #[arg(long)]
        put: Vec<PathBuf>,
    },
    /// Boots for real with this fstab (the root's line is added) and tells what became of it. The
    /// disks are those of the random series, `/dev/sda` to `/dev/sdf`.
    Boot {
        /// The lines.
        fstab: PathBuf,
        /// Print the serial console too.
        #[arg(long)]
        console: bool,
    },
    /// Boots random fstabs for real, one JSON line each to standard output.
    Boots {
        /// How many.
        #[arg(long)]
        count: u64,
        /// Seed of the series.
        #[arg(long)]
        seed: u64,
        /// Number of the first case.
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Boot them in containers: quicker, but without disks and servers.
        #[arg(long)]
        container: bool,
        /// A nofail binary whose `boot` is compared with what really happened.
        #[arg(long)]
        nofail: Option<PathBuf>,
    },
    /// Compares boots made before (the lines that `boots` printed) with what nofail foretells now.
    Recheck {
        /// The lines.
        records: PathBuf,
        /// The binary.
        #[arg(long)]
        nofail: PathBuf,
    },
    /// Removes all that the lab has cached.
    Clean,
}

/// Does it.
///
/// # Errors
/// Whatever went wrong in the lab.
pub fn run(args: Args) -> Result<()> {
    match args.command {
        Command::Build { all: true, .. } => build_all(),
        Command::Build { libvirt, .. } => {
            build(Variant::Plain)?;
            if libvirt {
                build(Variant::Libvirt)?;
            }
            Ok(())
        }
        Command::Shell {
            libvirt,
            user_mode,
            put,
        } => shell(variant(libvirt), user_mode, &put),
        Command::Boot { fstab, console } => boot(&fstab, console),
        Command::Boots {
            count,
            seed,
            first,
            container,
            nofail,
        } => boots(&Series {
            seed,
            first,
            count,
            place: if container {
                Place::Container
            } else {
                Place::Machine
            },
            nofail: nofail.as_deref(),
        }),
        Command::Recheck { records, nofail } => {
            let text = std::fs::read_to_string(&records)
                .with_context(|| format!("cannot read {}", records.display()))?;
            let mut kept = Vec::new();
            for (number, line) in text.lines().enumerate() {
                let record = serde_json::from_str(line);
                kept.push(record.with_context(|| format!("line {}", number + 1))?);
            }
            let mut tally = Tally::default();
            lab::corpus::again(kept, &nofail, |record| {
                tally.add(record);
                Ok(())
            })?;
            tally.end()
        }
        Command::Clean => {
            let dir = lab::cache::directory()?;
            std::fs::remove_dir_all(&dir)
                .with_context(|| format!("cannot remove {}", dir.display()))?;
            println!("removed {}", dir.display());
            Ok(())
        }
    }
}

fn variant(libvirt: bool) -> Variant {
    if libvirt {
        Variant::Libvirt
    } else {
        Variant::Plain
    }
}

/// Does a stage and tells how long it took.
fn stage<T>(name: &str, make: impl FnOnce() -> Result<T>) -> Result<()> {
    let clock = Instant::now();
    make()?;
    println!("{name}: {:.1} s", clock.elapsed().as_secs_f32());
    Ok(())
}

fn build(variant: Variant) -> Result<()> {
    let name = variant.name();
    stage("kernel", lab::kernel::kernel)?;
    stage(&format!("image {name}"), || lab::image::image(variant))?;
    stage(&format!("snapshot {name}"), || {
        lab::snapshot::booted(variant)
    })
}

/// What `./test` uses, two at a time: an installation is one processor's work.
fn build_all() -> Result<()> {
    std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            stage("image libvirt", || lab::image::image(Variant::Libvirt))?;
            stage("root of the next release", lab::next::root)
        });
        build(Variant::Plain)?;
        stage("start of cold boots", || {
            lab::snapshot::waiting(Variant::Plain, Clock::Counted)
        })?;
        others
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn boot(fstab: &Path, console: bool) -> Result<()> {
    let lines = std::fs::read(fstab).with_context(|| format!("cannot read {}", fstab.display()))?;
    let mut boot = lab::ColdBoot::new().fstab(lines).empty_network();
    for disk in lab::fstabs::disks() {
        boot = boot.disk(disk);
    }
    let verdict = boot.verdict(Duration::from_secs(400))?;
    if console {
        println!("{}", verdict.serial_log);
    }
    println!("{:?} after {:.1} s", verdict.outcome, verdict.seconds);
    for target in ["local-fs.target", "remote-fs.target", "multi-user.target"] {
        match verdict.reached(target) {
            Some(after) => println!("  {target} after {after:.1} s"),
            None => println!("  {target} not reached"),
        }
    }
    let kinds = [".mount", ".automount", ".swap"];
    for (name, unit) in &verdict.units {
        if kinds.iter().any(|kind| name.ends_with(kind)) {
            println!("  {name}: {} ({}, {})", unit.active, unit.sub, unit.result);
        }
    }
    Ok(())
}

/// How many boots were as foretold; the others are told at once.
#[derive(Default)]
struct Tally {
    done: usize,
    wrong: usize,
}

impl Tally {
    fn add(&mut self, record: &Record) {
        self.done += 1;
        for text in &record.disagreements {
            eprintln!("seed {} case {}: {text}", record.seed, record.index);
        }
        if !record.disagreements.is_empty() {
            self.wrong += 1;
            eprintln!("{}", record.fstab);
        }
    }

    fn end(&self) -> Result<()> {
        let Self { done, wrong } = self;
        eprintln!("{} of {done} boots were as foretold", done - wrong);
        anyhow::ensure!(*wrong == 0, "{wrong} of {done} boots were not as foretold");
        Ok(())
    }
}

fn boots(series: &Series<'_>) -> Result<()> {
    let mut tally = Tally::default();
    lab::corpus::run(series, |record| {
        println!("{}", serde_json::to_string(record)?);
        tally.add(record);
        let (done, count) = (tally.done, series.count);
        eprintln!("{done} of {count} booted, {:?}", record.outcome);
        Ok(())
    })?;
    match series.nofail {
        Some(_) => tally.end(),
        None => Ok(()),
    }
}

fn shell(variant: Variant, user_mode: bool, put: &[PathBuf]) -> Result<()> {
    let clock = Instant::now();
    let machine = if user_mode {
        Machine::user_mode(variant)?
    } else {
        Machine::resume(variant)?
    };
    eprintln!(
        "a shell after {:.2} s; end it with ^D",
        clock.elapsed().as_secs_f32()
    );
    for file in put {
        let name = file.file_name().context("a file without a name")?;
        let clock = Instant::now();
        machine.put(
            &format!("/root/{}", name.to_string_lossy()),
            &std::fs::read(file)?,
        )?;
        eprintln!(
            "put {} in {:.2} s",
            file.display(),
            clock.elapsed().as_secs_f32()
        );
    }
    for line in std::io::stdin().lock().lines() {
        let clock = Instant::now();
        match machine.run(&line?, Duration::from_secs(600)) {
            Ok(output) => {
                print!("{}", output.stdout);
                std::io::stdout().flush()?;
                eprint!("{}", output.stderr);
                eprintln!(
                    "[{} after {:.2} s]",
                    output.code,
                    clock.elapsed().as_secs_f32()
                );
            }
            Err(error) => eprintln!("{error:#}"),
        }
    }
    Ok(())
}
