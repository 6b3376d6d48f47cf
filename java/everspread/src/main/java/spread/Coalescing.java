package spread;

import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

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

    /** Pause before a session whose lock is taken is looked at again. */
    private static final long RETRY_NANOS = 50_000;

    private static final LinkedBlockingQueue<Session> QUEUE = new LinkedBlockingQueue<>();
    private static Thread thread;

    private final Session session;
    private final long nanos;
    private volatile boolean held;
    private boolean queued;
    private volatile long since;

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
            held = true;
            since = now;
            if (!queued) {
                queued = true;
                enqueue(session);
            }
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

    /** Whether the thread is to come again. */
    boolean settle() {
        queued = held;
        return queued;
    }

    /** How long what is kept back may still be. */
    private long dueIn() {
        return nanos - (System.nanoTime() - since);
    }

    private static void enqueue(Session session) {
        QUEUE.add(session);
        synchronized (QUEUE) {
            if (thread == null) {
                thread = new Thread(Coalescing::run, "spread-flusher");
                thread.setDaemon(true);
                thread.setContextClassLoader(null);
                thread.start();
            }
        }
    }

    private static void run() {
        while (true) {
            Session session = null;
            try {
                session = QUEUE.poll(LINGER_MS, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                // Nobody who knows this thread means anything by it.
                continue;
            }
            if (session == null) {
                synchronized (QUEUE) {
                    if (QUEUE.isEmpty()) {
                        thread = null;
                        return;
                    }
                }
                continue;
            }
            long left = session.coalescing().dueIn();
            if (left > 0) {
                LockSupport.parkNanos(left);
            }
            if (session.pushIfDue()) {
                // The sender is at it, and pushes by itself while it goes on.
                LockSupport.parkNanos(RETRY_NANOS);
                QUEUE.add(session);
            }
        }
    }
}
