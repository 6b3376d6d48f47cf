package spread;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.HashSet;
import java.util.Set;

/**
 * Ends the sessions of connections that a program has forgotten.
 *
 * <p>Its thread sleeps while there are open sessions and ends soon after the last one: it would keep the
 * class loader alive.
 */
final class Reaper {

    /** How long the thread outlives the last session, so that it is not started for each. */
    private static final long LINGER_MS = 1000;

    private static final ReferenceQueue<SpreadConnection> QUEUE = new ReferenceQueue<>();
    private static final Set<Watch> WATCHES = new HashSet<>();
    private static Thread thread;

    private Reaper() {}

    /** What has to be ended when its connection is gone. Knows the connection in no other way. */
    static final class Watch extends PhantomReference<SpreadConnection> {
        private final long handle;

        private Watch(SpreadConnection connection, long handle) {
            super(connection, QUEUE);
            this.handle = handle;
        }
    }

    /** Begins to look after a session. */
    static Watch watch(SpreadConnection connection, long handle) {
        Watch watch = new Watch(connection, handle);
        synchronized (WATCHES) {
            if (thread == null) {
                Thread fresh = new Thread(Reaper::run, "spread-reaper");
                fresh.setDaemon(true);
                fresh.setContextClassLoader(null);
                // Fails where the system has no thread left.
                fresh.start();
                thread = fresh;
            }
            WATCHES.add(watch);
        }
        return watch;
    }

    /** The session has been ended as it should be. */
    static void unwatch(Watch watch) {
        synchronized (WATCHES) {
            WATCHES.remove(watch);
            if (WATCHES.isEmpty()) {
                // Has the thread look.
                watch.enqueue();
            } else {
                watch.clear();
            }
        }
    }

    private static void run() {
        while (true) {
            boolean idle;
            synchronized (WATCHES) {
                idle = WATCHES.isEmpty();
            }
            Watch watch;
            try {
                watch = (Watch) QUEUE.remove(idle ? LINGER_MS : 0);
            } catch (InterruptedException e) {
                // Nobody who knows this thread means anything by it.
                continue;
            }
            boolean forgotten;
            synchronized (WATCHES) {
                if (watch == null && WATCHES.isEmpty()) {
                    thread = null;
                    return;
                }
                forgotten = watch != null && WATCHES.remove(watch);
            }
            if (forgotten) {
                Native.disconnect(watch.handle);
            }
        }
    }
}
