//! The kernel command line, see bootparam(7) and the kernel's kernel-parameters.

/// The parameters of a command line, in order, as (name, value). Double quotes protect spaces.
pub fn parameters(line: &str) -> Vec<(String, Option<String>)> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in line.trim().chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
        .into_iter()
        .map(|word| match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word, None),
        })
        .collect()
}

/// The last value of a parameter: `Some(None)` where it stands without a value.
pub fn value(line: &str, name: &str) -> Option<Option<String>> {
    parameters(line)
        .into_iter()
        .rfind(|(n, _)| n == name)
        .map(|(_, value)| value)
}

/// Serial consoles that `console=` names (`ttyS1`, `ttyAMA0`, `hvc0`), without their options
/// (`,115200n8`), in order and each once.
pub fn serial_consoles(line: &str) -> Vec<String> {
    let mut consoles = Vec::new();
    for (name, value) in parameters(line) {
        let Some(value) = value.filter(|_| name == "console") else {
            continue;
        };
        let device = value.split(',').next().unwrap_or("");
        let device = device.trim_start_matches("/dev/");
        let serial = [
            "ttyS", "ttyAMA", "ttyUSB", "ttySC", "ttysclp", "sclp", "hvc", "uart",
        ]
        .iter()
        .any(|prefix| device.starts_with(prefix));
        if serial && !consoles.iter().any(|known| known == device) {
            consoles.push(device.to_owned());
        }
    }
    consoles
}
