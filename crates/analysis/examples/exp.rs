//! experiment
use analysis::cutsets::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let files: Vec<(String,String)> = a[2..].iter().map(|f| (f.clone(), std::fs::read_to_string(f).unwrap())).collect();
    let which = a[1].parse().ok();
    let time = std::time::Instant::now();
    let m = match analysis::mef::parse(&files) { Ok(m) => m, Err(e) => { println!("{e}"); return } };
    let top = match m.top(None) { Ok(m) => m, Err(e) => { println!("{e}"); return } };
    let tp = time.elapsed();
    let s = match solve(&m.tree, top, &Options { max_order: which, ..Options::default() }) { Ok(m) => m, Err(e) => { println!("{e} {:?}", time.elapsed()); return } };
    let el = time.elapsed();
    println!("{} {:?} parse {:?} {:?} cut {}", s.count(), el, tp, s.by_order().map(|(a, b)| format!("{a}:{b}")).collect::<Vec<_>>(), s.is_cut());
    let p: Option<Vec<f64>> = m.probabilities(8760.0).into_iter().collect();
    if let Some(p) = p { println!("P {:?}", s.probability(&p)); }
}
