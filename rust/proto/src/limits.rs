//! Every size and count of the protocol, with its reason.

/// Size of a name field on the wire; a name is at most one byte shorter, so that a NUL ends it.
pub const NAME_FIELD: usize = 32;

/// Most bytes of a group name: a name field less its NUL.
pub const MAX_GROUP_NAME: usize = NAME_FIELD - 1;

/// Most bytes of a private name. Daemons refuse longer ones; the classic library cuts to it, and so
/// does [`ConnectRequest`](crate::ConnectRequest).
pub const MAX_PRIVATE_NAME: usize = 10;

/// Most bytes of a daemon's name, a limit of the daemon's configuration.
pub const MAX_DAEMON_NAME: usize = 19;

/// Most groups of one message: a daemon closes the connection above it.
pub const MAX_GROUPS: usize = 100;

/// Most groups with which a Spread 5.0.1 daemon delivers a message. From 44 on header and groups no
/// longer fit into its first packet, and the message reaches nobody.
pub const MAX_DELIVERED_GROUPS: usize = 43;

/// Largest `body + 32 x groups` that a Spread 5.0.1 daemon delivers: 100 packets of 1432 bytes,
/// less the header. One byte more makes the daemon process abort.
pub const MAX_MESSAGE: usize = 143_152;

/// Largest `body + 32 x groups` that a 5.0.1 daemon survives for long. One that fills its hundredth
/// packet to the last byte ([`MAX_MESSAGE`]) is delivered, but damages the daemon's memory: it ends some
/// messages later. Eight bytes less are harmless.
pub const SAFE_MESSAGE: usize = 143_144;

/// Largest `body + 32 x groups` that a 5.0.1 daemon reads; above it, it closes the connection.
/// Between [`MAX_MESSAGE`] and this it aborts.
pub const DAEMON_CLOSES_ABOVE: usize = 143_952;

/// Largest `body + 32 x groups` that the classic library sends, and the bound for lookups in a
/// membership body of unknown length.
pub const CLASSIC_MAX_MESSAGE: usize = 144_000;

/// Most elements of a classic scatter.
pub const MAX_SCATTER_ELEMENTS: usize = 100;

/// Most authentication methods of one client: the slots of the auth choice.
pub const MAX_AUTH_METHODS: usize = 3;

/// Size of one slot of the auth choice; a method name is at most one byte shorter.
pub const AUTH_SLOT_LEN: usize = 30;

/// Size of the auth choice.
pub const AUTH_CHOICE_LEN: usize = MAX_AUTH_METHODS * AUTH_SLOT_LEN;

/// Longest list of methods that a client takes from a daemon. The length byte could say up to 127;
/// the classic library gives up above 90.
pub const MAX_AUTH_LIST: usize = 90;

/// Bytes of the daemon's answer before the private group: code, three version bytes, length.
pub const ANSWER_LEN: usize = 5;

/// Sessions of one daemon; the next client gets [`reject::QUOTA`](crate::reject::QUOTA).
pub const MAX_SESSIONS: usize = 997;

/// Messages that a daemon holds for one session by default (`MaxSessionMessages`); with one more it
/// drops the session.
pub const MAX_SESSION_MESSAGES: usize = 1000;

/// Most members of a group for which a 5.0.1 daemon survives a network change: their names are in
/// the message twice.
pub const MAX_NETWORK_MEMBERS: usize = 2236;
