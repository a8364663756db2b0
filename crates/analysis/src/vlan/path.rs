//! The path of one form of frames (untagged, or with one tag) between an end and the switch: out
//! and back.

use super::ends::{End, route};
use super::flow::{Flow, Start, Step, What, Why};
use super::net::{Kind, Net, Node};
use super::switch::{Far, Refused};
use super::tags::Tags;
use std::collections::BTreeSet;

/// One place on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Device, or switch and port.
    pub place: String,
    /// What kind of place.
    pub kind: Place,
    /// VLAN inside a bridge that filters, or inside the switch.
    pub vid: Option<u16>,
    /// Tags as the frame leaves the place.
    pub tags: Tags,
}

/// Kinds of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An interface of the host or a port.
    Interface,
    /// A bridge.
    Bridge,
    /// The switch's port.
    Switch,
}

/// Where and why frames are lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Device, or switch and port.
    pub place: String,
    /// Why.
    pub why: Lost,
}

/// Why frames are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// On the host.
    Host(Why),
    /// At the switch.
    Switch(Refused),
    /// They do not come to the end in the form in which it speaks, but in this VLAN's tag (0: none).
    OtherForm(u16),
    /// Nothing shows where.
    Nowhere,
}

/// What becomes of the frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Out and back, in one VLAN on every bridge.
    Whole,
    /// Out and back, but in one VLAN of the bridge out and in another one back: it works as long
    /// as nobody changes either.
    TwoVlans {
        /// VLAN on the bridge on the way out.
        out: u16,
        /// VLAN on the bridge on the way back.
        back: u16,
    },
    /// Out and back, but in another VLAN of the switch than intended.
    WrongVlan {
        /// Where they land.
        lands: u16,
        /// Where they should.
        intended: u16,
    },
    /// They do not get out.
    Dropped(Loss),
    /// They get out; what answers does not come back.
    NoWayBack(Loss),
    /// No wire leads out from here.
    NoWire,
}

impl Verdict {
    /// Whether frames pass both ways.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Whole | Self::TwoVlans { .. } | Self::WrongVlan { .. }
        )
    }
}

/// The path of one form of frames of one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// How the end sends.
    pub sends: Tags,
    /// VLAN that this form should be in, as site.toml (or the tag itself) says.
    pub intended: Option<u16>,
    /// The way out.
    pub out: Vec<Hop>,
    /// The way back.
    pub back: Vec<Hop>,
    /// Wire that it takes.
    pub wire: Option<String>,
    /// Tags on the wire.
    pub on_wire: Option<Tags>,
    /// VLAN in the switch, where a capture tells.
    pub lands: Option<u16>,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// The host's devices and what they are plugged into.
#[derive(Debug)]
pub struct World<'a> {
    /// Devices.
    pub net: &'a Net,
    /// Wires.
    pub wires: &'a BTreeSet<Node>,
    /// The far end of each, where known.
    pub far: Vec<(Node, Far<'a>)>,
}

impl<'a> World<'a> {
    /// The far end of a wire.
    pub fn far(&self, wire: Node) -> Option<&Far<'a>> {
        self.far
            .iter()
            .find(|(node, _)| *node == wire)
            .map(|(_, far)| far)
    }
}

/// Follows one form of an end's frames to the switch and back.
pub fn follow(world: &World<'_>, end: &End, sends: &Tags, intended: Option<u16>) -> Path {
    let mut path = Path {
        sends: sends.clone(),
        intended,
        out: Vec::new(),
        back: Vec::new(),
        wire: None,
        on_wire: None,
        lands: None,
        verdict: Verdict::NoWire,
    };
    let net = world.net;
    let Some(route) = route(net, end.node, world.wires) else {
        return path;
    };
    let start = if end.stack {
        Start::Out(end.node)
    } else {
        Start::In(end.node)
    };
    let flow = Flow::of(net, start, sends.clone());
    let left = flow
        .arrivals()
        .find(|(_, step)| step.what == What::Left && world.wires.contains(&step.node));
    let Some((at, step)) = left else {
        let loss = first_loss(net, &flow, &route);
        path.out = loss
            .as_ref()
            .map_or_else(Vec::new, |(at, _)| hops(net, &flow.way(*at)));
        path.verdict = Verdict::Dropped(loss.map_or_else(|| nowhere(net, &route), |(_, l)| l));
        return path;
    };
    path.out = hops(net, &flow.way(at));
    path.wire = Some(net.item(step.node).name.clone());
    path.on_wire = Some(step.tags.clone());
    let mut answer = step.tags.clone();
    if let Some(far) = world.far(step.node) {
        let refused = |refused| Loss {
            place: far.name(),
            why: Lost::Switch(refused),
        };
        let vid = match far.ingress(&step.tags) {
            Ok(vid) => vid,
            Err(why) => {
                path.verdict = Verdict::Dropped(refused(why));
                return path;
            }
        };
        path.lands = Some(vid);
        path.out.push(switch_hop(far, vid, &step.tags));
        answer = match far.egress(vid) {
            Ok(tags) => tags,
            Err(why) => {
                path.verdict = Verdict::NoWayBack(refused(why));
                return path;
            }
        };
        path.back.push(switch_hop(far, vid, &answer));
    }
    come_back(net, end, step.node, answer, &route, &mut path);
    path
}

fn switch_hop(far: &Far<'_>, vid: u16, tags: &Tags) -> Hop {
    Hop {
        place: far.name(),
        kind: Place::Switch,
        vid: Some(vid),
        tags: tags.clone(),
    }
}

/// The way from the wire to the end, and the verdict.
fn come_back(net: &Net, end: &End, wire: Node, answer: Tags, route: &[Node], path: &mut Path) {
    let flow = Flow::of(net, Start::In(wire), answer);
    let here = |step: &Step| {
        step.node == end.node && step.what == if end.stack { What::Stack } else { What::Left }
    };
    let mut arrivals: Vec<(usize, &Step)> = flow.arrivals().filter(|(_, s)| here(s)).collect();
    // A guest that speaks untagged takes priority tags too; a stack has lost its tags by then.
    arrivals.sort_by_key(|(_, step)| step.tags != path.sends);
    let Some((at, step)) = arrivals.first().copied() else {
        let mut inward = route.to_vec();
        inward.reverse();
        let loss = first_loss(net, &flow, &inward);
        let way = loss.as_ref().map_or_else(Vec::new, |(at, _)| flow.way(*at));
        path.back.extend(hops(net, &way));
        path.verdict = Verdict::NoWayBack(loss.map_or_else(|| nowhere(net, &inward), |(_, l)| l));
        return;
    };
    path.back.extend(hops(net, &flow.way(at)));
    if step.tags != path.sends && !end.stack {
        path.verdict = Verdict::NoWayBack(Loss {
            place: end.device.clone(),
            why: Lost::OtherForm(step.tags.outer().unwrap_or(0)),
        });
        return;
    }
    let inside = |hops: &[Hop]| -> Vec<(String, u16)> {
        hops.iter()
            .filter(|h| h.kind == Place::Bridge)
            .filter_map(|h| Some((h.place.clone(), h.vid?)))
            .collect()
    };
    let (out, back) = (inside(&path.out), inside(&path.back));
    let two = out.iter().find_map(|(bridge, vid)| {
        let (_, other) = back.iter().find(|(b, other)| b == bridge && other != vid)?;
        Some((*vid, *other))
    });
    path.verdict = match (path.lands, path.intended, two) {
        (Some(lands), Some(intended), _) if lands != intended => {
            Verdict::WrongVlan { lands, intended }
        }
        (_, _, Some((out, back))) => Verdict::TwoVlans { out, back },
        _ => Verdict::Whole,
    };
}

/// The drop that keeps frames from going on along a route: the one farthest along it.
fn first_loss(net: &Net, flow: &Flow, route: &[Node]) -> Option<(usize, Loss)> {
    let on_route = flow.steps.iter().enumerate().filter_map(|(at, step)| {
        let What::Dropped(why) = step.what else {
            return None;
        };
        let place = route.iter().position(|node| *node == step.node)?;
        Some((place, at, step, why))
    });
    let (_, at, step, why) = on_route.max_by_key(|(place, at, ..)| (*place, usize::MAX - at))?;
    let loss = Loss {
        place: net.item(step.node).name.clone(),
        why: Lost::Host(why),
    };
    Some((at, loss))
}

fn nowhere(net: &Net, route: &[Node]) -> Loss {
    Loss {
        place: route
            .first()
            .map_or_else(String::new, |node| net.item(*node).name.clone()),
        why: Lost::Nowhere,
    }
}

/// The places that frames pass: each once, with the tags with which they leave it.
fn hops(net: &Net, way: &[&Step]) -> Vec<Hop> {
    let mut hops: Vec<Hop> = Vec::new();
    for step in way {
        let item = net.item(step.node);
        let bridged = matches!(step.what, What::Bridged(_));
        if item.kind == Kind::Bridge && !bridged {
            continue;
        }
        let hop = Hop {
            place: item.name.clone(),
            kind: if bridged {
                Place::Bridge
            } else {
                Place::Interface
            },
            vid: match step.what {
                What::Bridged(vid) => vid,
                _ => None,
            },
            tags: step.tags.clone(),
        };
        match hops.last_mut() {
            Some(last) if last.place == hop.place && last.kind == hop.kind => *last = hop,
            _ => hops.push(hop),
        }
    }
    hops
}
