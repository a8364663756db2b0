//! The map of VLANs against a real kernel: random hosts are set up in a machine, frames are sent
//! from every end, and what arrives is compared with what `analysis::vlan` foretells. Nothing may
//! differ.
//!
//! Needs root, QEMU and `NOFAIL_STATIC`. `NOFAIL_VLAN_CASES` sets how many cases (120),
//! `NOFAIL_VLAN_SEED` which (1).

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod random;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use analysis::vlan::{Flow, Net, Start, Tags, What};
use facts::Snapshot;
use lab::random::Random;
use lab::{Lab, Machine};
use random::{End, Structure};
use serde::Deserialize;

const AGENT: &str = include_str!("agent.py");

/// Cases on one structure: making one costs more than changing its VLANs.
const CASES_EACH: usize = 10;

/// Structures in one run of the agent.
const BATCH: usize = 6;

/// What the machine saw in one case.
#[derive(Debug, Deserialize)]
struct Seen {
    /// Number of the frame, end, tags.
    arrivals: BTreeSet<(usize, String, Vec<u16>)>,
    /// Devices that take every frame: a kernel's own doing, which depends on MAC addresses.
    promiscuous: BTreeSet<String>,
    /// What nofail read there.
    #[serde(default)]
    snapshot: Option<serde_json::Value>,
}

/// The devices of a case as the test made them.
fn net(structure: &Structure, case: usize, seen: &Seen) -> Net {
    let mut devices = structure.devices.clone();
    for device in &mut devices {
        device.promiscuous = seen.promiscuous.contains(&device.name);
    }
    Net::new(&structure.cases[case].bridges, &devices)
}

/// Where a frame arrives.
fn foretell(net: &Net, ends: &[End], from: &str, tags: &[u16]) -> BTreeSet<(String, Vec<u16>)> {
    let end = ends.iter().find(|e| e.name == from).unwrap();
    let node = net.node(&end.device).unwrap();
    let start = if end.stack {
        Start::Out(node)
    } else {
        Start::In(node)
    };
    let flow = Flow::of(net, start, Tags(tags.to_vec()));
    assert!(!flow.endless, "{from} {tags:?}");
    let mut arrivals = BTreeSet::new();
    for (_, step) in flow.arrivals() {
        let device = net.item(step.node).name.clone();
        match step.what {
            What::Left => arrivals.insert((device, step.tags.0.clone())),
            _ => arrivals.insert((format!("{device}/stack"), Vec::new())),
        };
    }
    arrivals
}

/// What differs between a case as foretold and as seen.
fn differences(net: &Net, structure: &Structure, case: usize, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, (from, tags)) in structure.cases[case].frames.iter().enumerate() {
        let foretold = foretell(net, &structure.ends, from, tags);
        let arrived: BTreeSet<_> = seen
            .arrivals
            .iter()
            .filter(|(of, _, _)| *of == number)
            .map(|(_, end, tags)| (end.clone(), tags.clone()))
            .collect();
        if foretold != arrived {
            let lost: Vec<_> = foretold.difference(&arrived).collect();
            let more: Vec<_> = arrived.difference(&foretold).collect();
            wrong.push(format!(
                "from {from} {tags:?}: foretold and not seen {lost:?}, seen and not foretold {more:?}"
            ));
        }
    }
    wrong
}

/// Runs the structures in the machine.
fn run(machine: &Machine, structures: &[Structure]) -> Vec<Seen> {
    let text = serde_json::to_vec(structures).unwrap();
    machine.put("/run/cases.json", &text).unwrap();
    let command = "python3 /root/agent.py /run/cases.json /run/seen.json";
    let output = machine.run(command, Duration::from_secs(300)).unwrap();
    assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    serde_json::from_slice(&machine.get("/run/seen.json").unwrap()).unwrap()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn what_arrives_is_what_the_map_foretells() {
    let nofail = std::env::var_os("NOFAIL_STATIC").expect("NOFAIL_STATIC names a static nofail");
    let seed = number("NOFAIL_VLAN_SEED", 1);
    let wanted = usize::try_from(number("NOFAIL_VLAN_CASES", 120)).unwrap();
    let machine = Lab::user_mode_host().unwrap();
    machine
        .put("/root/nofail", &std::fs::read(nofail).unwrap())
        .unwrap();
    machine.put("/root/agent.py", AGENT.as_bytes()).unwrap();

    let clock = Instant::now();
    let (mut cases, mut frames, mut arrivals, mut collected, mut again) = (0, 0, 0, 0, 0);
    let mut stream = 0;
    while cases < wanted {
        let structures: Vec<Structure> = (0..BATCH)
            .map(|_| {
                stream += 1;
                Structure::random(&mut Random::new(seed, stream), CASES_EACH)
            })
            .collect();
        let seen = run(&machine, &structures);
        assert_eq!(seen.len(), BATCH * CASES_EACH);
        let mut repeat = Vec::new();
        for (at, structure) in structures.iter().enumerate() {
            for case in 0..structure.cases.len() {
                let seen = &seen[at * CASES_EACH + case];
                cases += 1;
                frames += structure.cases[case].frames.len();
                arrivals += seen.arrivals.len();
                let net = net(structure, case, seen);
                let mut wrong = differences(&net, structure, case, seen);
                if let Some(snapshot) = &seen.snapshot {
                    let snapshot = Snapshot::from_json(&snapshot.to_string()).unwrap();
                    collected += 1;
                    wrong.extend(differences(&Net::of(&snapshot), structure, case, seen));
                }
                if !wrong.is_empty() {
                    let mut alone = structure.clone();
                    alone.cases = vec![structure.cases[case].clone()];
                    alone.cases[0].collect = false;
                    repeat.push((alone, wrong));
                }
            }
        }
        // Ethernet promises nothing: a case that differs must differ again, alone, to count.
        again += repeat.len();
        for (structure, first) in repeat {
            let seen = run(&machine, std::slice::from_ref(&structure));
            let net = net(&structure, 0, &seen[0]);
            let wrong = differences(&net, &structure, 0, &seen[0]);
            assert!(
                wrong.is_empty(),
                "seed {seed}: {wrong:#?}\nfirst: {first:#?}\n{:#?}\n{:#?}\n{:#?}",
                structure.ip,
                structure.cases[0].ip,
                structure.cases[0].bridge
            );
        }
    }
    println!(
        "{cases} cases, {frames} frames, {arrivals} arrivals, {collected} of the cases also from a \
         snapshot taken there, {again} tried twice: no difference; {:.0} s",
        clock.elapsed().as_secs_f64()
    );
}
