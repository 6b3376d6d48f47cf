/* Flush Spread, FL_*: groups with virtual synchrony. A program includes this file and links with -lspread.
 *
 * A view is delivered only after all of its members have flushed: see FL_receive and FL_flush.
 *
 * Generated from rust/c by tests/headers; do not edit.
 */
#ifndef INC_FL
#define INC_FL

#include <sp.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Given to FL_receive() in the service type: return WOULD_BLOCK instead of waiting. */
#define DONT_BLOCK              0x10000000

/* Kinds of received messages: the library asks for FL_flush(), */
#define FLUSH_REQ_MESS          0x20000000
/* and a message to a part of a group. */
#define SUBGROUP_CAST           0x40000000

/* Looking at a received type: 1 or 0. */
#define Is_flush_req_mess(type) (((type) & FLUSH_REQ_MESS) != 0)
#define Is_subgroup_mess(type)  (((type) & SUBGROUP_CAST) != 0)

/* Results, beside those of sp.h. FL_error() prints them all. */
#define ILLEGAL_PARAM           (-24)   /* a count that is negative */
#define WOULD_BLOCK             (-25)   /* nothing to receive */
#define ILLEGAL_MESSAGE_TYPE    (-26)   /* less than FL_MIN_LEGAL_MESS_TYPE */
#define ILLEGAL_STATE           (-27)   /* not at this moment of a change */
#define ILLEGAL_RECEIVERS       (-28)   /* not in the view */

/* Elements of a scatter that is sent. */
#define FL_MAX_SCATTER_ELEMENTS 99

/* The least message type of a program; the library uses those below. */
#define FL_MIN_LEGAL_MESS_TYPE  (-32765)

