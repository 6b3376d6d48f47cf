/* Cancels a thread that is blocked inside SP_error, writing to a full pipe. The thread must end as cancelled, once it is back
 * in its own code, and the process must live on. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sp.h"

/* The pipe's size, and more than SP_error writes at a time: a write of that size fits whole or blocks. */
#define ROOM 4096
#define LINE 64

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void close_output(void *unused)
{
    (void)unused;
    close(1);
}

static void *print_for_ever(void *unused)
{
    (void)unused;
    pthread_cleanup_push(close_output, NULL);
    for (;;) {
        SP_error(CONNECTION_CLOSED);
        pthread_testcancel();
    }
    pthread_cleanup_pop(0);
    return NULL;
}

int main(void)
{
    int ends[2];
    char chunk[ROOM];
    pthread_t thread;
    void *result;
    int waiting;
    ssize_t n;

    if (pipe(ends) != 0 || fcntl(ends[1], F_SETPIPE_SZ, ROOM) != ROOM || dup2(ends[1], 1) < 0)
        die("pipe");
    close(ends[1]);
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    if (pthread_create(&thread, NULL, print_for_ever, NULL) != 0)
        die("pthread_create");

    do {
        sched_yield();
        if (ioctl(ends[0], FIONREAD, &waiting) != 0)
            die("FIONREAD");
    } while (waiting <= ROOM - LINE);
    if (pthread_cancel(thread) != 0)
        die("pthread_cancel");

    /* Makes room, until the thread's end has closed the pipe. */
    do
        n = read(ends[0], chunk, sizeof chunk);
    while (n > 0);
    if (n < 0)
        die("read");
    if (pthread_join(thread, &result) != 0)
        die("pthread_join");
    return result == PTHREAD_CANCELED ? 0 : 2;
}
