//! experiment
use analysis::cutsets::*;
use std::collections::HashMap;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let text = std::fs::read_to_string(&a[1]).unwrap();
    let mut t = FaultTree::new();
    let mut ids: HashMap<String, Arg> = HashMap::new();
    let lines: Vec<&str> = text.lines().filter(|l| l.contains(":=")).collect();
    for l in &lines { let n = l.split(":=").next().unwrap().trim(); let g = t.declare(n); ids.insert(n.into(), g.into()); }
    let mut used = std::collections::HashSet::new();
    for l in &lines {
        let (n, e) = l.split_once(":=").unwrap();
        let e = e.trim();
        let (op, body) = if let Some(r) = e.strip_prefix('@') { let (k, b) = r.split_once('(').unwrap(); (Op::AtLeast(k.trim().parse().unwrap()), b) }
            else if e.contains('&') { (Op::And, e) } else { (Op::Or, e) };
        let args = body.split(|c: char| "()&|, []".contains(c)).filter(|s| !s.is_empty()).map(|s| { used.insert(s.to_string()); *ids.entry(s.into()).or_insert_with(|| t.event(s).into()) }).collect();
        let Arg::Gate(g) = ids[n.trim()] else { panic!() };
        t.define(g, op, args);
    }
    let top = lines.iter().map(|l| l.split(":=").next().unwrap().trim()).find(|n| !used.contains(*n)).unwrap();
    let which = a.get(2).map(|s| s.parse().unwrap());
    let time = std::time::Instant::now();
    let s = solve(&t, ids[top], &Options { max_order: which, ..Options::default() }).unwrap();
    let el = time.elapsed();
    println!("{} {:?} {:?} cut {}", s.count(), el, s.by_order().map(|(a, b)| format!("{a}:{b}")).collect::<Vec<_>>(), s.is_cut());
    if a.len() > 3 { let mut n = 0; for x in s.sets() { n += x.len().min(1); } println!("listed {n} {:?}", time.elapsed());
    let p = vec![0.01; t.events().len()]; println!("P {:?} {:?}", s.probability(&p), time.elapsed()); println!("{:?}", &s.importance(&p).unwrap()[..3]); }
}
