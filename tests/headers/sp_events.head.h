/* The event loop, E_*: runs functions of the program when descriptors are ready and when times have come. Included by sp.h;
 * can be used alone.
 *
 * Generated from rust/c by tests/headers; do not edit.
 */
#ifndef INC_SP_EVENTS
#define INC_SP_EVENTS

#ifdef __cplusplus
extern "C" {
#endif

/* Descriptors that can be attached at a priority at least. */
#define MAX_FD_EVENTS   2000

/* The order in which ready descriptors are served. */
#define LOW_PRIORITY    0
#define MEDIUM_PRIORITY 1
#define HIGH_PRIORITY   2
#define NUM_PRIORITY    3

/* What a descriptor is watched for. */
#define READ_FD         0
#define WRITE_FD        1
#define EXCEPT_FD       2
#define NUM_FDTYPES     3

/* A time or a span of time: seconds and microseconds, both of the same sign. */
typedef struct dummy_time {
    long sec;
    long usec;
} sp_time;

