//! The stable codes of the way out.

use casemate_protocol::Code;

/// Not among the job's grants.
pub const NOT_GRANTED: Code = Code {
    id: "egress.not-granted",
    what: "A program of a job asked its proxy for a host or port that the job has no grant for; nothing was resolved or sent.",
    next: "If the work needs it, add it to `grants.egress` of the workflow and to the site's egress file; if not, find out what asked.",
};
/// Not among the site's grants.
pub const NOT_SITE: Code = Code {
    id: "egress.site",
    what: "A job names a host or port that this site does not grant, so it was not started with less than it asks for.",
    next: "Add the host to the egress file of `agentd enter --egress`, or take it out of the workflow; docs/operations.md shows both.",
};
/// The site's file.
pub const FILE: Code = Code {
    id: "egress.file",
    what: "The site's egress file cannot be read or is not well-formed.",
    next: "The message names the key; docs/formats/egress.md lists every key.",
};
/// A name without an address.
pub const UNRESOLVED: Code = Code {
    id: "egress.unresolved",
    what: "A granted host has no address, or no name server answered.",
    next: "Resolve the name on the appliance; /etc/hosts and the name servers of /etc/resolv.conf are those of the time agentd was started.",
};
/// An address that is not to be reached.
pub const ADDRESS: Code = Code {
    id: "egress.address",
    what: "A granted host has an address that its grant does not permit; nothing was sent to any of its addresses.",
    next: "If the address is right, name its range in the grant's `addresses`; if not, the name was pointed elsewhere: look at the name server.",
};
/// Nobody there.
pub const UNREACHABLE: Code = Code {
    id: "egress.unreachable",
    what: "A granted host did not take the connection at a permitted address.",
    next: "Connect from the appliance to the address that the message names.",
};
/// A request that is none.
pub const REQUEST: Code = Code {
    id: "egress.request",
    what: "A program sent its proxy something that is not one plain HTTP request: a name in another spelling, two lengths, a second host, a header that two readers would read differently.",
    next: "Ordinary programs do not do this; treat what ran in the job as hostile, or give the program another client.",
};
/// A request's head took too long.
pub const SLOW: Code = Code {
    id: "egress.slow",
    what: "A request's head was not complete in time.",
    next: "Look at what the program was doing; a proxy keeps no half requests.",
};
/// A connection that was silent.
pub const IDLE: Code = Code {
    id: "egress.idle",
    what: "A connection was ended because neither side sent anything for too long.",
    next: "Nothing, if the program was done; otherwise let it send something now and then.",
};
/// The bound of bytes.
pub const BYTES: Code = Code {
    id: "egress.bytes",
    what: "A job's connections reached the bound of bytes that may leave or come in, and were ended.",
    next: "Look at the job's connections (`casemate job events ID`); raise `limits` in the site's egress file if the work needs it.",
};
/// The bound of connections.
pub const CONNECTIONS: Code = Code {
    id: "egress.connections",
    what: "A job reached the bound of connections that it may ask for.",
    next: "Look for a loop; raise `limits.connections` in the site's egress file if the work needs it.",
};
/// Proxy or connector gone.
pub const LOST: Code = Code {
    id: "egress.lost",
    what: "A job's proxy or agentd's connector ended or broke its protocol; the job has no way out any more.",
    next: "Keep the job's proxy.log; if it happens again without a hostile job, report it.",
};

/// Every code of this room.
pub const CODES: &[Code] = &[
    NOT_GRANTED,
    NOT_SITE,
    FILE,
    UNRESOLVED,
    ADDRESS,
    UNREACHABLE,
    REQUEST,
    SLOW,
    IDLE,
    BYTES,
    CONNECTIONS,
    LOST,
];
