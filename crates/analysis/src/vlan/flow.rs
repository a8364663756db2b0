//! Where a broadcast frame goes within one host: the kernel's receive and transmit paths over
//! VLAN devices, bonds, macvlans and bridges, step by step, with every drop.
//!
//! Order of the receive path (`__netif_receive_skb_core` of the kernel's net/core/dev.c): first a
//! VLAN device on top that has the frame's tag, then whatever took the device over (bridge, bond,
//! macvlan), last the host's own stack. So a VLAN device on an uplink takes its frames away from
//! the bridge that the uplink is a port of.

use super::net::{Kind, Net, Node};
use super::port::{Refusal, egress, ingress};
use super::tags::Tags;
use std::collections::HashSet;

/// More tags than any frame has; a bound for circles that add one each time round.
const MOST_TAGS: usize = 8;
/// More steps than any host takes; a bound for circles.
const MOST_STEPS: usize = 200_000;

/// Where a frame starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// It comes in on a device from beyond: the wire, a guest's tap.
    In(Node),
    /// The host's own stack (or a guest, over its macvtap) sends it out of a device.
    Out(Node),
}

/// One step of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Device.
    pub node: Node,
    /// What happens there.
    pub what: What,
    /// Tags at that point; inside a bridge that filters, the VLAN's own among them.
    pub tags: Tags,
    /// The step before.
    pub parent: Option<usize>,
}

/// What happens to a frame at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// It comes in on the device.
    Received,
    /// It is sent over the device.
    Sent,
    /// It is inside the bridge, in this VLAN (`None`: the bridge does not filter).
    Bridged(Option<u16>),
    /// It leaves this host (or reaches a guest) over the device.
    Left,
    /// It is handed to the host's stack on the device, or to the guest behind a macvtap.
    Stack,
    /// It ends here.
    Dropped(Why),
}

/// Why a frame ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// It comes in at a bridge's port that refuses it.
    Ingress(Refusal),
    /// It does not leave by a bridge's port that is no member of its VLAN.
    Egress(u16),
    /// It came in by an isolated port, and this one is isolated too.
    Isolated,
    /// The link is down.
    Down,
    /// Spanning tree blocks the port.
    Blocked,
    /// The host's stack has no VLAN device for its tag.
    NoVlanDevice(u16),
    /// A bond in a mode with one active member: this one is not it.
    NotActive,
}

/// Everything that happened to a frame.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// The steps, each after its parent.
    pub steps: Vec<Step>,
    /// Whether the frame ran in a circle for longer than was followed.
    pub endless: bool,
}

impl Flow {
    /// Follows a broadcast frame.
    pub fn of(net: &Net, start: Start, tags: Tags) -> Self {
        let mut run = Run {
            net,
            flow: Self::default(),
            seen: HashSet::new(),
            work: Vec::new(),
        };
        match start {
            Start::In(node) => run.push(Job::Receive(node), tags, None),
            Start::Out(node) => run.push(Job::Send(node), tags, None),
        }
        while let Some((job, tags, parent)) = run.work.pop() {
            if run.flow.steps.len() > MOST_STEPS || tags.0.len() > MOST_TAGS {
                run.flow.endless = true;
                break;
            }
            match job {
                Job::Receive(node) => run.receive(node, &tags, parent),
                Job::Send(node) => run.send(node, &tags, parent),
            }
        }
        run.flow
    }

    /// Where the frame left the host or reached a stack: index of each such step.
    pub fn arrivals(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.steps
            .iter()
            .enumerate()
            .filter(|(_, step)| matches!(step.what, What::Left | What::Stack))
    }

    /// Where it ended.
    pub fn drops(&self) -> impl Iterator<Item = (&Step, Why)> {
        self.steps.iter().filter_map(|step| match step.what {
            What::Dropped(why) => Some((step, why)),
            _ => None,
        })
    }

    /// The steps up to this one, first to last.
    pub fn way(&self, to: usize) -> Vec<&Step> {
        let mut way = Vec::new();
        let mut at = Some(to);
        while let Some(step) = at.and_then(|at| self.steps.get(at)) {
            way.push(step);
            at = step.parent;
        }
        way.reverse();
        way
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Job {
    Receive(Node),
    Send(Node),
}

struct Run<'a> {
    net: &'a Net,
    flow: Flow,
    seen: HashSet<(Job, Tags)>,
    work: Vec<(Job, Tags, Option<usize>)>,
}

impl Run<'_> {
    fn push(&mut self, job: Job, tags: Tags, parent: Option<usize>) {
        // A circle brings the same frame to the same place: once is enough to know who hears it.
        if self.seen.insert((job, tags.clone())) {
            self.work.push((job, tags, parent));
        }
    }

    fn step(&mut self, node: Node, what: What, tags: &Tags, parent: Option<usize>) -> usize {
        self.flow.steps.push(Step {
            node,
            what,
            tags: tags.clone(),
            parent,
        });
        self.flow.steps.len() - 1
    }

    fn drop(&mut self, node: Node, why: Why, tags: &Tags, parent: Option<usize>) {
        self.step(node, What::Dropped(why), tags, parent);
    }

    fn receive(&mut self, node: Node, tags: &Tags, parent: Option<usize>) {
        let net = self.net;
        let item = net.item(node);
        if item.down {
            return self.drop(node, Why::Down, tags, parent);
        }
        let at = Some(self.step(node, What::Received, tags, parent));
        if let Some(above) = tags.outer().and_then(|vid| item.vlans.get(&vid)) {
            return self.push(Job::Receive(*above), tags.popped(), at);
        }
        if let Some(controller) = item.controller {
            return match &net.item(controller).kind {
                Kind::Bond { active, one_hears } => {
                    if *one_hears && *active != Some(node) {
                        self.drop(node, Why::NotActive, tags, at);
                    } else {
                        self.push(Job::Receive(controller), tags.clone(), at);
                    }
                }
                _ => self.enter_bridge(controller, node, tags, at),
            };
        }
        for above in item.macvlans.clone() {
            self.push(Job::Receive(above), tags.clone(), at);
        }
        self.stack(node, tags, at);
    }

    /// The host's own stack, or the guest behind a macvtap.
    fn stack(&mut self, node: Node, tags: &Tags, at: Option<usize>) {
        let item = self.net.item(node);
        if matches!(item.kind, Kind::Macvlan { guest: true, .. }) {
            self.step(node, What::Stack, tags, at);
            return;
        }
        match tags.0.as_slice() {
            [] | [0] => {
                self.step(node, What::Stack, tags, at);
            }
            // A priority tag is taken off, and the tag below it looked at.
            [0, inner, ..] => match item.vlans.get(inner) {
                Some(above) => {
                    self.push(Job::Receive(*above), tags.popped().popped(), at);
                }
                None => self.drop(node, Why::NoVlanDevice(*inner), tags, at),
            },
            [vid, ..] => self.drop(node, Why::NoVlanDevice(*vid), tags, at),
        }
    }

    fn enter_bridge(&mut self, bridge: Node, port: Node, tags: &Tags, at: Option<usize>) {
        let item = self.net.item(port);
        if is_blocked(item.port.stp_state.as_deref()) {
            return self.drop(port, Why::Blocked, tags, at);
        }
        let entered = if self.net.item(bridge).filtering {
            match ingress(&item.port, tags) {
                Ok((vid, tags)) => (Some(vid), tags),
                Err(refusal) => return self.drop(port, Why::Ingress(refusal), tags, at),
            }
        } else {
            (None, tags.clone())
        };
        self.flood(bridge, Some(port), entered, at);
    }

    /// Hands a frame inside a bridge to every port but the one it came from, and to the host.
    fn flood(
        &mut self,
        bridge: Node,
        from: Option<Node>,
        (vid, tags): (Option<u16>, Tags),
        parent: Option<usize>,
    ) {
        let net = self.net;
        let at = Some(self.step(bridge, What::Bridged(vid), &tags, parent));
        let out = |node: Node| match vid {
            Some(vid) => egress(&net.item(node).port, vid, &tags).map_err(|_| Why::Egress(vid)),
            None => Ok(tags.clone()),
        };
        let isolated = from.is_some_and(|from| net.item(from).port.isolated);
        for &port in &net.item(bridge).ports {
            let entry = &net.item(port).port;
            if from == Some(port) && !entry.hairpin {
                continue;
            }
            if net.item(port).down {
                self.drop(port, Why::Down, &tags, at);
            } else if is_blocked(entry.stp_state.as_deref()) {
                self.drop(port, Why::Blocked, &tags, at);
            } else if isolated && entry.isolated {
                self.drop(port, Why::Isolated, &tags, at);
            } else {
                match out(port) {
                    Ok(tags) => self.push(Job::Send(port), tags, at),
                    Err(why) => self.drop(port, why, &tags, at),
                }
            }
        }
        if from.is_some() {
            match out(bridge) {
                Ok(tags) => self.push(Job::Receive(bridge), tags, at),
                // br_handle_vlan of the kernel: a promiscuous bridge gets the frame as it is.
                Err(Why::Egress(_)) if net.item(bridge).promiscuous => {
                    self.push(Job::Receive(bridge), tags, at);
                }
                Err(why) => self.drop(bridge, why, &tags, at),
            }
        }
    }

    fn send(&mut self, node: Node, tags: &Tags, parent: Option<usize>) {
        let net = self.net;
        let item = net.item(node);
        if item.down {
            return self.drop(node, Why::Down, tags, parent);
        }
        match &item.kind {
            Kind::Edge => {
                self.step(node, What::Left, tags, parent);
            }
            Kind::Bridge => {
                let at = Some(self.step(node, What::Sent, tags, parent));
                let entered = if item.filtering {
                    match ingress(&item.port, tags) {
                        Ok((vid, tags)) => (Some(vid), tags),
                        Err(refusal) => return self.drop(node, Why::Ingress(refusal), tags, at),
                    }
                } else {
                    (None, tags.clone())
                };
                self.flood(node, None, entered, at);
            }
            Kind::Vlan { lower, vid } => {
                let at = Some(self.step(node, What::Sent, tags, parent));
                self.push(Job::Send(*lower), tags.pushed(*vid), at);
            }
            Kind::Bond { active, .. } => {
                let at = Some(self.step(node, What::Sent, tags, parent));
                match active {
                    Some(member) => self.push(Job::Send(*member), tags.clone(), at),
                    None => self.drop(node, Why::Down, tags, at),
                }
            }
            Kind::Macvlan { lower, bridged, .. } => {
                let at = Some(self.step(node, What::Sent, tags, parent));
                let siblings = net.item(*lower).macvlans.clone();
                for sibling in siblings.into_iter().filter(|s| *bridged && *s != node) {
                    if matches!(net.item(sibling).kind, Kind::Macvlan { bridged: true, .. }) {
                        self.push(Job::Receive(sibling), tags.clone(), at);
                    }
                }
                self.push(Job::Send(*lower), tags.clone(), at);
            }
            Kind::Veth { peer } => {
                let at = Some(self.step(node, What::Sent, tags, parent));
                self.push(Job::Receive(*peer), tags.clone(), at);
            }
        }
    }
}

/// Whether spanning tree lets no frames pass. Without STP a port of a link that is up forwards.
fn is_blocked(state: Option<&str>) -> bool {
    matches!(
        state,
        Some("blocking" | "listening" | "learning" | "disabled")
    )
}
