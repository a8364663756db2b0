//! `show radius server-group all` and `show aaa servers`.

use super::super::{RadiusGroup, terminal::Line};
use super::Reader;

/// Reads groups and their members. The group `radius` that every switch has is passed over: it is
/// all the servers, not one that somebody chose.
pub(super) fn read_groups(reader: &mut Reader, lines: &[Line]) {
    let mut current: Option<String> = None;
    reader.switch.radius_complete |= reader.closed && !reader.command.partial;
    for line in lines {
        let text = line.text.trim();
        let heading = text
            .strip_prefix("Server group ")
            .or_else(|| text.strip_prefix("Sever group "));
        if let Some(name) = heading {
            current = (name != "radius").then(|| name.to_owned());
            if let Some(name) = &current {
                let place = reader.place(line);
                let group = RadiusGroup {
                    servers: Vec::new(),
                    place,
                };
                reader.switch.radius_groups.insert(name.clone(), group);
            }
            continue;
        }
        // Server(10.50.1.31:1812,1813,ISE-01) Transactions:
        let (Some(name), Some(inner)) = (&current, text.strip_prefix("Server(")) else {
            continue;
        };
        let Some((inner, _)) = inner.split_once(')') else {
            reader.doubt(line, "the line of a server is cut off");
            continue;
        };
        let mut parts = inner.split(',');
        let address = parts
            .next()
            .and_then(|a| a.rsplit_once(':'))
            .map_or(inner, |(a, _)| a);
        let member = parts
            .nth(1)
            .filter(|name| !name.is_empty())
            .unwrap_or(address)
            .to_owned();
        let place = reader.place(line);
        let server = reader
            .switch
            .radius_servers
            .entry(member.clone())
            .or_default();
        server.address.get_or_insert_with(|| address.to_owned());
        if server.place.file.is_empty() {
            server.place = place;
        }
        if let Some(group) = reader.switch.radius_groups.get_mut(name) {
            group.servers.push(member);
        }
    }
}

/// Reads what the switch thinks of each server: `UP` or `DEAD`.
pub(super) fn read_servers(reader: &mut Reader, lines: &[Line]) {
    let mut current: Option<String> = None;
    for line in lines {
        let text = line.text.trim();
        if let Some(rest) = text.strip_prefix("RADIUS: id ") {
            let part = |key: &str| rest.split(", ").find_map(|part| part.strip_prefix(key));
            let address = part("host ");
            current = part("hostname ").or(address).map(str::to_owned);
            if let Some(name) = &current {
                let place = reader.place(line);
                let server = reader
                    .switch
                    .radius_servers
                    .entry(name.clone())
                    .or_default();
                server.address = server.address.take().or(address.map(str::to_owned));
                if server.place.file.is_empty() {
                    server.place = place;
                }
            }
        } else if let Some(rest) = text.strip_prefix("State: current ")
            && let Some(server) = current
                .as_ref()
                .and_then(|name| reader.switch.radius_servers.get_mut(name))
        {
            let state = rest.split(',').next().unwrap_or("").trim();
            server.state = Some(state.to_owned());
        }
    }
}
