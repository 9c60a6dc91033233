//! Which pages the kernel gave.

/// MiB in memory, and MiB of these in huge pages, of the map that holds `bytes`; 0 where the kernel does not tell.
pub(crate) fn mapped(bytes: &[u8]) -> (u64, u64) {
    let (address, mut inside) = (bytes.as_ptr() as u64, false);
    let (mut resident, mut huge) = (0, 0);
    for line in std::fs::read_to_string("/proc/self/smaps").unwrap_or_default().lines() {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        if let Some((from, to)) = name.split_once('-') {
            let bounds = [from, to].map(|bound| u64::from_str_radix(bound, 16).unwrap_or(0));
            inside = (bounds[0]..bounds[1]).contains(&address);
        }
        if inside {
            let kib = rest.trim().trim_end_matches(" kB").parse().unwrap_or(0);
            match name {
                "Rss:" => resident = kib,
                "AnonHugePages:" | "FilePmdMapped:" | "ShmemPmdMapped:" => huge += kib,
                _ => {}
            }
        }
    }
    (resident >> 10, huge >> 10)
}
