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

/**
 * Forgets all timers and all attached descriptors and sets the threshold to `LOW_PRIORITY`.
 *
 * Programs call it once before the loop is used; it may be called again for a fresh start, also
 * inside a callback: the loop that runs goes on with nothing to do. Not needed any more: the
 * loop works without.
 *
 * Returns 0. Does not block. Any thread.
 */
int E_init(void);

/**
 * The wall clock: seconds and microseconds since 1970. Steps when the clock is set.
 *
 * Does not block. Any thread.
 */
sp_time E_get_time(void);

/**
 * The monotonic clock (`CLOCK_MONOTONIC`) to the nearest microsecond, which timers go by. Counts
 * from an arbitrary point and never steps.
 *
 * `usec` is always below 1000000 (the classic library may return 1000000). Does not block. Any
 * thread.
 */
sp_time E_get_time_monotonic(void);

/**
 * `t` with both fields negated. Wraps where a field is the smallest long. Any thread.
 */
sp_time E_neg_time(sp_time t);

/**
 * The sum of two times. Both fields of the result have the same sign and `usec` is within
 * (-1000000, 1000000), provided that it was in both operands: there is only one carry.
 *
 * Seconds wrap at the ends of their range. Any thread.
 */
sp_time E_add_time(sp_time t, sp_time delta_t);

/**
 * The difference `t - delta_t`: `E_add_time(t, E_neg_time(delta_t))`. Any thread.
 */
sp_time E_sub_time(sp_time t, sp_time delta_t);

/**
 * 1 if `t1` is later than `t2`, -1 if it is earlier, 0 if both are equal.
 *
 * Compares `sec`, then `usec`, as they are: {1, -900000} is later than {0, 999999}. Any thread.
 */
int E_compare_time(sp_time t1, sp_time t2);

/**
 * Calls `func(code, data)` once, from `E_handle_events`, when `delta_time` has passed.
 *
 * There is one timer for each triple of func, code and data: queueing it again removes the one
 * before, so that the new time counts. Timers run in the order of their times, those of equal
 * times in the order of queueing; a negative time comes first. A timer is not in the queue any
 * more while it runs and may queue itself again; it then runs in a later round of the loop, so
 * that one without delay keeps neither descriptors nor other timers from being served (the
 * classic library serves nothing else then).
 *
 * Returns 0, or -1 if there is no memory. Does not block. Any thread, also while another one is
 * in the loop, which is woken (the classic library is not thread-safe and does not wake).
 * Not async-signal-safe. A null `func` is accepted and not called.
 *
 * What the caller grants:
 * `func` may be called with `code` and `data` until it has run or is removed. `data` is handed
 * through untouched.
 */
int E_queue(void (*func)(int code, void *data), int code, void *data, sp_time delta_time);

/**
 * Returns 1 if a timer of this triple is queued, else 0. A timer that is running is not queued.
 *
 * Does not block. Any thread.
 */
int E_in_queue(void (*func)(int code, void *data), int code, void *data);

/**
 * Removes the timer of this triple. What `data` points to is not touched.
 *
 * Returns 0, or -1 if there is none. Does not block. Any thread.
 */
int E_dequeue(void (*func)(int code, void *data), int code, void *data);

/**
 * Sleeps for the time `t`, or until a signal handler has run; serves no events meanwhile.
 *
 * Returns at once if a field of `t` is negative, or both are 0. A cancellation point. Any thread.
 */
void E_delay(sp_time t);

/**
 * Calls `func(fd, code, data)` from `E_handle_events` whenever `fd` is ready.
 *
 * `fd_type` is what to be ready for: `READ_FD` (data, end of stream, an error), `WRITE_FD` or
 * `EXCEPT_FD` (urgent data). Readiness is a state, not an event: `func` is called again until it
 * has read what there is, or has detached the descriptor (at the end of a stream it must).
 * `priority` is `LOW_PRIORITY`, `MEDIUM_PRIORITY` or `HIGH_PRIORITY`, see `E_handle_events`. The
 * same descriptor may be attached for every type and in every priority.
 *
 * Returns 0 if the descriptor is new for this type and priority; 1 if it was attached, then func,
 * code and data are replaced and it is active; -1 for a negative descriptor, an unknown type or
 * priority, or if there is no memory. Any other number is accepted, of any size and as many as
 * there are (classic: up to 1024, and 2000 for each priority). One that is not open is called for
 * once, to meet the error; then it is left alone until it is open. A null `func` is accepted and
 * never called.
 *
 * Does not block. Any thread, also while another one is in the loop, which is woken (the classic
 * library is not thread-safe and does not wake). Not async-signal-safe.
 *
 * What the caller grants:
 * `func` may be called with `fd`, `code` and `data` until the descriptor is detached. `data` is
 * handed through untouched.
 */
int E_attach_fd(int fd, int fd_type, void (*func)(int fd, int code, void *data), int code, void *data, int priority);

/**
 * Detaches a descriptor of this type from every priority. It is not called any more, also if it
 * is ready already. The descriptor itself is not touched: detach it before closing it.
 *
 * Returns 0, or -1 if it was not attached or the type is unknown. Does not block. Any thread; from
 * another one than the loop's, a call that has begun goes on.
 */
int E_detach_fd(int fd, int fd_type);

/**
 * Like `E_detach_fd`, from one priority only.
 *
 * Returns 0, or -1 if it was not attached there, or type or priority are unknown (the classic
 * library does not check the priority).
 */
int E_detach_fd_priority(int fd, int fd_type, int priority);

/**
 * Serve only descriptors of at least this priority, from now on. `LOW_PRIORITY`, the start,
 * serves all. Descriptors below stay attached.
 *
 * Returns the priority, or -1 if it is unknown: nothing has changed then. Does not block. Any
 * thread; a loop that waits in another one is woken.
 */
int E_set_active_threshold(int priority);

/**
 * Serves a descriptor of this type again, in every priority in which it is attached.
 *
 * Returns 0, or -1 if it is not attached or the type is unknown. Does not block. Any thread; a
 * loop that waits in another one is woken.
 */
int E_activate_fd(int fd, int fd_type);

/**
 * Stops serving a descriptor of this type, in every priority, until it is activated or attached
 * again. It stays attached, and is not called any more even if it is ready already (the classic
 * library still calls it in the present round).
 *
 * Returns 0, or -1 if it is not attached or the type is unknown. Does not block. Any thread.
 */
int E_deactivate_fd(int fd, int fd_type);

/**
 * The number of active descriptors of a priority, whatever the threshold; -1 if the priority is
 * unknown. Does not block. Any thread.
 */
int E_num_active(int priority);

/**
 * Waits for timers and descriptors and calls back for them, until an exit is asked for by
 * `E_exit_events` or `E_exit_events_async_safe`. With nothing queued or attached it waits for
 * that alone.
 *
 * It goes in rounds: the timers that are due at the start of the round, each once; then all ready
 * descriptors of `HIGH_PRIORITY`; if none of these was called, all ready ones of
 * `MEDIUM_PRIORITY`; then, in any case, one ready descriptor of `LOW_PRIORITY`, in turn. As in
 * the classic library no timer runs before the first round without a high or medium call, but
 * after 100 rounds they do (there, a descriptor that is always ready stops all timers).
 *
 * Callbacks may call every function of this interface. What is attached meanwhile is served from
 * the next round on. A loop inside a callback works; its exit ends the outer ones as well.
 * Everything stays queued and attached for the next call.
 *
 * Callbacks may leave by longjmp, `pthread_exit` or a C++ exception, and the thread may be cancelled
 * in them or in the wait: the loop can be used again. Signal handlers may run at any time; they
 * do not end the wait of a timer.
 *
 * Blocks; a cancellation point. One thread at a time is meant to be in the loop; others may use
 * the other functions meanwhile. After a fork parent and child each have a loop of their own with
 * the same timers and descriptors.
 */
void E_handle_events(void);

/**
 * Makes `E_handle_events` return: in a callback, right after that callback. Without effect
 * outside, as the next call of `E_handle_events` forgets it.
 *
 * Does not block. Any thread; a loop that waits in another one is woken. Async-signal-safe.
 */
void E_exit_events(void);

/**
 * Like `E_exit_events`, for signal handlers. Async-signal-safe; errno is kept.
 *
 * Ends the wait at once, whenever the signal comes (the classic library may miss one that comes
 * just before the wait, until the wait is over).
 */
void E_exit_events_async_safe(void);

#ifdef __cplusplus
}
#endif

#endif /* INC_SP_EVENTS */
