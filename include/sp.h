/* The interface of the Spread Toolkit's client library, as Everspread provides it.
 *
 * A program includes this file alone and links with -lspread. Names, values, types and layouts are those of the classic
 * library, so that programs written for it compile and run unchanged; what is different at run time is listed in
 * docs/COMPATIBILITY.md.
 *
 * The functions are declared, and described, in sp_func.h and (the event loop) sp_events.h.
 */
#ifndef INC_SP
#define INC_SP

#include <stddef.h>

#include "sp_events.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Macros, not types: old programs write `unsigned int16`. */
#define int16                   short
#define int32                   int

/* Where a daemon listens if nothing else is said. */
#define DEFAULT_SPREAD_PORT     4803

/* The classic header's version in the form 0xMMmmpp00. SP_version() tells the library's. */
#define SPREAD_VERSION          0x05000000


/* Sizes */

/* Bytes of a name field, terminating NUL included: group names, private group names. */
#define MAX_GROUP_NAME          32
/* Characters of a private name. */
#define MAX_PRIVATE_NAME        10
/* Bytes of a daemon's name. */
#define MAX_PROC_NAME           20
/* Elements of a scatter. */
#define MAX_CLIENT_SCATTER_ELEMENTS 100


/* Types */

/* A session. The number is also a descriptor that can be given to select(), poll(), epoll and E_attach_fd(): it is readable
 * when SP_receive() would find something. Only the library may read or write it. */
typedef int mailbox;

/* The service and message type bits below. */
typedef int service;

/* One piece of a message. */
typedef struct dummy_scat_element {
    char *buf;
    size_t len;
} scat_element;

/* A message in pieces. */
typedef struct dummy_scatter {
    size_t num_elements;
    scat_element elements[MAX_CLIENT_SCATTER_ELEMENTS];
} scatter;

/* The identity of one membership of one group. Compare with SP_equal_group_ids(). */
typedef struct dummy_group_id {
    int32 id[3];
} group_id;

/* A set of members in a membership message: how many, and where in the message their names begin. */
typedef struct dummy_vs_set_info {
    unsigned int num_members;
    unsigned int members_offset;
} vs_set_info;

/* What a membership message says; see SP_get_memb_info(). */
typedef struct dummy_membership_info {
    group_id gid;
    char changed_member[MAX_GROUP_NAME];
    unsigned int num_vs_sets;
    vs_set_info my_vs_set;
} membership_info;


/* Services: how a message is to be delivered. A message has exactly one of them. */
#define UNRELIABLE_MESS         0x00000001
#define RELIABLE_MESS           0x00000002
#define FIFO_MESS               0x00000004
#define CAUSAL_MESS             0x00000008
#define AGREED_MESS             0x00000010
#define SAFE_MESS               0x00000020
/* Any of the above. */
#define REGULAR_MESS            0x0000003f

/* Added to a service when sending: not to the sender itself. */
#define SELF_DISCARD            0x00000040
/* Given to SP_receive(): consume the message even if it does not fit. */
#define DROP_RECV               0x01000000

/* Membership messages: the new members of a group, or a sign that guarantees end before the new members are known, */
#define REG_MEMB_MESS           0x00001000
#define TRANSITION_MESS         0x00002000
/* and why the members have changed. */
#define CAUSED_BY_JOIN          0x00000100
#define CAUSED_BY_LEAVE         0x00000200
#define CAUSED_BY_DISCONNECT    0x00000400
#define CAUSED_BY_NETWORK       0x00000800
/* Any of the above. */
#define MEMBERSHIP_MESS         0x00003f00

/* Bits of the protocol, and bits that have no meaning yet. */
#define ENDIAN_RESERVED         0x80000080
#define RESERVED                0x003fc000
/* The daemon's access control has refused this message and gives it back. */
#define REJECT_MESS             0x00400000

/* Looking at a received type. Most give the bit itself, not 1. */
#define Is_unreliable_mess(type)        ((type) & UNRELIABLE_MESS)
#define Is_reliable_mess(type)          ((type) & RELIABLE_MESS)
#define Is_fifo_mess(type)              ((type) & FIFO_MESS)
#define Is_causal_mess(type)            ((type) & CAUSAL_MESS)
#define Is_agreed_mess(type)            ((type) & AGREED_MESS)
#define Is_safe_mess(type)              ((type) & SAFE_MESS)
#define Is_regular_mess(type)           (((type) & REGULAR_MESS) && !((type) & REJECT_MESS))
#define Is_self_discard(type)           ((type) & SELF_DISCARD)
#define Is_reg_memb_mess(type)          ((type) & REG_MEMB_MESS)
#define Is_transition_mess(type)        ((type) & TRANSITION_MESS)
#define Is_caused_join_mess(type)       ((type) & CAUSED_BY_JOIN)
#define Is_caused_leave_mess(type)      ((type) & CAUSED_BY_LEAVE)
#define Is_caused_disconnect_mess(type) ((type) & CAUSED_BY_DISCONNECT)
#define Is_caused_network_mess(type)    ((type) & CAUSED_BY_NETWORK)
#define Is_membership_mess(type)        (((type) & MEMBERSHIP_MESS) && !((type) & REJECT_MESS))
#define Is_reject_mess(type)            ((type) & REJECT_MESS)
/* The receiver has left the group itself; the message says no more than that. */
#define Is_self_leave(type)             (((type) & CAUSED_BY_LEAVE) && !((type) & (REG_MEMB_MESS | TRANSITION_MESS)))

/* A number in the other byte order. The argument is used more than once. */
#define Flip_int16(type)        ((((type) >> 8) & 0xff) | (((type) & 0xff) << 8))
#define Flip_int32(type)        ((((type) >> 24) & 0xffu) | (((type) >> 8) & 0xff00u) \
                                 | (((type) & 0xff00u) << 8) | (((type) & 0xffu) << 24))


/* Results. Functions return one of these, or 0, or a number above 0. SP_strerror() has a text for each. */
#define ACCEPT_SESSION          1       /* connected */

#define ILLEGAL_SPREAD          (-1)    /* the spread name cannot be read, or the host is unknown */
#define COULD_NOT_CONNECT       (-2)    /* no daemon answers there */
#define REJECT_QUOTA            (-3)    /* the daemon has too many users */
#define REJECT_NO_NAME          (-4)    /* not used */
#define REJECT_ILLEGAL_NAME     (-5)    /* the daemon does not like the private name */
#define REJECT_NOT_UNIQUE       (-6)    /* the private name is in use */
#define REJECT_VERSION          (-7)    /* library and daemon do not fit together */
#define CONNECTION_CLOSED       (-8)    /* the connection was lost, or not made in time */
#define REJECT_AUTH             (-9)    /* authentication failed */

#define ILLEGAL_SESSION         (-11)   /* there is no session with this mailbox */
#define ILLEGAL_SERVICE         (-12)   /* no service, or one that no daemon takes */
#define ILLEGAL_MESSAGE         (-13)   /* a message that makes no sense */
#define ILLEGAL_GROUP           (-14)   /* a name that no group can have */
#define BUFFER_TOO_SHORT        (-15)   /* the message does not fit */
#define GROUPS_TOO_SHORT        (-16)   /* the group names do not fit */
#define MESSAGE_TOO_LONG        (-17)   /* more than can be sent in one message */
#define NET_ERROR_ON_SESSION    (-18)   /* the connection was lost in an earlier call */
#define SP_BUG                  (-19)   /* a defect of the library */
#define ILLEGAL_TIME            (-20)   /* a time limit that is no time */

#ifdef __cplusplus
}
#endif

#include "sp_func.h"

#endif /* INC_SP */
