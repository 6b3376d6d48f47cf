package spread;

import java.util.concurrent.DelayQueue;
import java.util.concurrent.Delayed;
import java.util.concurrent.TimeUnit;

/**
 * Has the messages of one session that are sent within a short time leave together. They are with the
 * kernel at once, as ever, which keeps them back ({@code MSG_MORE}) until one is sent without that, or
 * until they are pushed: by a receiver before it waits, else by a thread when the time is over.
 *
 * <p>Changed under the session's lock for sending only.
 */
final class Coalescing {

    /** How long the thread outlives the last burst: it would keep the class loader alive. */
    private static final long LINGER_MS = 1000;

    /** First and longest pause before a session whose lock is taken is looked at again. */
    private static final long RETRY_NANOS = 50_000;

    private static final long LONGEST_RETRY_NANOS = 2_000_000;

    private static final DelayQueue<Due> QUEUE = new DelayQueue<>();
    private static Thread thread;

    private final Session session;
    private final long nanos;
    private volatile boolean held;
    private boolean queued;
    private long since;

    /** For at most so many microseconds. */
    Coalescing(Session session, int micros) {
        this.session = session;
        this.nanos = TimeUnit.MICROSECONDS.toNanos(micros);
    }

    /** Whether the message that is about to be sent may be kept back. */
    boolean mayWait() {
        long now = System.nanoTime();
        if (held && now - since >= nanos) {
            held = false;
            return false;
        }
        if (!held) {
            since = now;
            if (!queued) {
                try {
                    enqueue();
                } catch (OutOfMemoryError e) {
                    // The system has no thread left.
                    return false;
                }
                queued = true;
            }
            held = true;
        }
        return true;
    }

    /** Something is sent that is not kept back, and takes along what was. */
    void pushed() {
        held = false;
    }

    /** Whether there is something to push now. */
    boolean isHeld() {
        return held;
    }

    /** The thread has pushed, and does not come again by itself. */
    void left() {
        queued = false;
    }

    /** A session to be looked at, at its time. */
    private static final class Due implements Delayed {
        private final Session session;
        private final long at;
        /** Until the next look, if this one is in vain. */
        private final long retry;

        Due(Session session, long at, long retry) {
            this.session = session;
            this.at = at;
            this.retry = retry;
        }

        @Override
        public long getDelay(TimeUnit unit) {
            return unit.convert(at - System.nanoTime(), TimeUnit.NANOSECONDS);
        }

        @Override
        public int compareTo(Delayed other) {
            return Long.signum(at - ((Due) other).at);
        }

        Due later() {
            long longer = Math.min(2 * retry, LONGEST_RETRY_NANOS);
            return new Due(session, System.nanoTime() + retry, longer);
        }
    }

    private void enqueue() {
        synchronized (QUEUE) {
            if (thread == null) {
                Thread fresh = new Thread(Coalescing::run, "spread-flusher");
                fresh.setDaemon(true);
                fresh.setContextClassLoader(null);
                fresh.start();
                thread = fresh;
            }
            QUEUE.add(new Due(session, since + nanos, RETRY_NANOS));
        }
    }

    private static void run() {
        while (true) {
            Due due = null;
            try {
                due = QUEUE.poll(LINGER_MS, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                // Nobody who knows this thread means anything by it.
                continue;
            }
            if (due == null) {
                synchronized (QUEUE) {
                    if (QUEUE.isEmpty()) {
                        thread = null;
                        return;
                    }
                }
            } else if (!due.session.pushKeptBack()) {
                // The sender is at it, and pushes by itself while it goes on.
                QUEUE.add(due.later());
            }
        }
    }
}
