/* A member of the group `room` at a scripted daemon: for everything that a real one never sends, and for looking at what the library
 * sends. */
#ifndef AT_FAKE_H
#define AT_FAKE_H

#include "../fake.h"
#include "flush.h"

#define FLUSH_OK (-32768)
#define FLUSH_RECV (-32767)
#define VULNERABLE (-32766)

extern struct fake fake;

/* Connects as FAKE_PRIVATE_GROUP. The daemon's end of the session. */
int fake_member(mailbox *mbox, const char *name);

/* The same, in the view {1, 2, 3} of `room`, alone, all votes seen. */
int fake_member_in_group(mailbox *mbox, const char *name);

/* The same with a second member, `#peer#fake`, in the view {1, 2, 4}. */
int fake_member_with_peer(mailbox *mbox, const char *name);

/* The daemon sends a membership {1, 2, number} of `room`. `members` and `set` are names with blanks between. */
void send_membership(int daemon, int number, unsigned cause, const char *members, const char *set);

/* A message of the layer from this member, for the membership {1, 2, number}. */
void send_control(int daemon, const char *sender, int mess_type, int number);

/* Text from this member in the vulnerable form: sent in the view {1, 2, number}. */
void send_vulnerable(int daemon, const char *sender, int number, int own_type, const char *text);

/* Text from this member in the plain form. */
void send_plain(int daemon, const char *sender, int mess_type, const char *text);

/* Reads the client's next frame, which must be of this type and message type, and gives it. */
#define SEES(daemon, type, mess_type) sees(__FILE__, __LINE__, (daemon), (type), (mess_type))
struct sent sees(const char *file, int line, int daemon, unsigned type, int mess_type);

/* One receive with ample room; the outputs. */
struct taken {
    int result;
    service type;
    char sender[MAX_GROUP_NAME];
    int num_groups;
    char groups[10][MAX_GROUP_NAME];
    int16 mess_type;
    int endian_mismatch;
    char body[1000];
    int more;
};

extern struct taken taken;

/* Receives into `taken`; `how` is 0 or DONT_BLOCK. Gives the result. */
int take(mailbox mbox, service how);

#endif
