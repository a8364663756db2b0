//! The times that these records carry.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Microseconds since 1970 of a time with an offset: `2026-11-22 23:30:52.604+0000` (libvirt),
/// `2026-11-22T23:30:53.883240Z` (QEMU), `2026-11-22T23:31:03,950611+00:00` (dmesg).
pub fn absolute(text: &str) -> Option<i64> {
    let text = text.trim().replace(',', ".");
    let time: Timestamp = text.parse().ok()?;
    Some(time.as_microsecond())
}

/// Microseconds since 1970 of a local time without an offset, in the host's zone:
/// `2026-11-22 23:30:52`. One that occurs twice (clocks set back) counts as the earlier.
pub fn local(text: &str, zone: &TimeZone) -> Option<i64> {
    let time: DateTime = text.trim().parse().ok()?;
    let zoned = zone.to_ambiguous_zoned(time).compatible().ok()?;
    Some(zoned.timestamp().as_microsecond())
}

/// Microseconds since 1970 of the time-stamp that BSD syslog wrote (RFC 3164): `Nov 22 23:30:52`.
/// It has no year: the latest one that does not lie after `latest`.
pub fn bsd(month: &str, day: &str, clock: &str, zone: &TimeZone, latest: i64) -> Option<i64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = MONTHS
        .find(month)
        .filter(|at| at % 3 == 0 && month.len() == 3)?
        / 3
        + 1;
    let day: u8 = day.parse().ok()?;
    let now = Timestamp::from_microsecond(latest)
        .ok()?
        .to_zoned(zone.clone());
    // A day of grace: clocks differ, and a log may be read in the moment it is written.
    let at = |year: i16| local(&format!("{year:04}-{month:02}-{day:02}T{clock}"), zone);
    let this = at(now.year()).filter(|time| *time <= latest + 86_400_000_000);
    this.or_else(|| at(now.year() - 1))
}
