//! Ids worked out from what they are for, so that none has to be kept.

use crate::random::write_hex;

/// What an id is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Kind {
    /// A project (32 digits, as Keystone writes ids).
    Project = 1,
    /// A user (32 digits).
    User,
    /// A domain (32 digits).
    Domain,
    /// A role (32 digits).
    Role,
    /// A network.
    Network,
    /// The subnet of version 4 of a network.
    Subnet,
    /// The subnet of version 6 of a network.
    Subnet6,
    /// A port of somebody.
    Port,
    /// The port by which the project's router stands in a network.
    Interface,
    /// The instance a port is for.
    Device,
    /// A security group.
    Group,
    /// A security group rule.
    Rule,
    /// A floating IP.
    FloatingIp,
    /// The router of a project.
    Router,
    /// Ids of single messages: message, request, activity and so on.
    Message,
}

impl Kind {
    /// Whether its ids are 32 digits.
    fn is_of_keystone(self) -> bool {
        matches!(self, Self::Project | Self::User | Self::Domain | Self::Role)
    }
}

/// The source of all ids of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identifiers {
    seed: u64,
}

impl Identifiers {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed: mix(seed) }
    }

    /// Appends the id of a thing as a UUID.
    pub(super) fn write_uuid(self, to: &mut String, kind: Kind, number: u64) {
        let (high, low) = self.halves(kind, number);
        let (high, low) = as_uuid(high, low);
        write_hex(to, high >> 32, 8);
        to.push('-');
        write_hex(to, (high >> 16) & 0xFFFF, 4);
        to.push('-');
        write_hex(to, high & 0xFFFF, 4);
        to.push('-');
        write_hex(to, low >> 48, 4);
        to.push('-');
        write_hex(to, low & 0xFFFF_FFFF_FFFF, 12);
    }

    /// Appends the id of a thing as 32 digits.
    pub(super) fn write_hex32(self, to: &mut String, kind: Kind, number: u64) {
        let (high, low) = self.halves(kind, number);
        write_hex(to, high, 16);
        write_hex(to, low, 16);
    }

    /// Appends the id of a thing in the form that its kind has.
    pub(super) fn write(self, to: &mut String, kind: Kind, number: u64) {
        if kind.is_of_keystone() {
            self.write_hex32(to, kind, number);
        } else {
            self.write_uuid(to, kind, number);
        }
    }

    /// A number that orders things of one kind as their ids are ordered.
    pub(super) fn rank(self, kind: Kind, number: u64) -> u128 {
        let (high, low) = self.halves(kind, number);
        let (high, low) = if kind.is_of_keystone() { (high, low) } else { as_uuid(high, low) };
        u128::from(high) << 64 | u128::from(low)
    }

    /// A number that looks like chance but belongs to the thing.
    pub(super) fn chance(self, kind: Kind, number: u64) -> u64 {
        self.halves(kind, number).0
    }

    fn halves(self, kind: Kind, number: u64) -> (u64, u64) {
        let high = mix(self.seed ^ mix((kind as u64) << 56 | number));
        (high, mix(high ^ 0x5851_F42D_4C95_7F2D))
    }
}

/// The bits of a UUID of version 4.
fn as_uuid(high: u64, low: u64) -> (u64, u64) {
    (high & !0xF000 | 0x4000, low & !(0b11 << 62) | 0b10 << 62)
}

fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}
