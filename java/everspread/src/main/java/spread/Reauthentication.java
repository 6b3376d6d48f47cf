package spread;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Level;

/**
 * Runs a program's authentication method again, whenever a session that outlives its link is being
 * restored ({@code failover=auto}).
 *
 * <p>The restore is the native library's, whose threads never call Java. So a thread of this class waits
 * for what it asks for, and runs the method on another one. A method that fails, or takes longer than
 * the attempt may, fails that attempt only. In the second case it is interrupted when it is asked for
 * anew. Ends with the session.
 */
final class Reauthentication implements Runnable {

    /** So many may hang, in spite of interrupts, before attempts fail without one. */
    private static final int MOST_RUNNING = 4;

    private final long handle;
    private final Authentication method;
    private final AtomicInteger running = new AtomicInteger();

    private Reauthentication(long handle, Authentication method) {
        this.handle = handle;
        this.method = method;
    }

    /** Begins to serve a session. */
    static void start(long handle, Authentication method) {
        thread(new Reauthentication(handle, method)).start();
    }

    private static Thread thread(Runnable work) {
        Thread thread = new Thread(work, "spread-auth");
        thread.setDaemon(true);
        return thread;
    }

    @Override
    public void run() {
        Thread last = null;
        long asked = 0;
        while ((asked = Native.nextAuthentication(handle, asked)) > 0) {
            interrupt(last);
            last = begin(asked);
        }
        interrupt(last);
    }

    private static void interrupt(Thread attempt) {
        // One that has ended does not notice.
        if (attempt != null) {
            attempt.interrupt();
        }
    }

    /** Runs the method for one attempt; null if that cannot be. */
    private Thread begin(long asked) {
        if (running.incrementAndGet() <= MOST_RUNNING) {
            try {
                Thread thread = thread(() -> attempt(asked));
                thread.start();
                return thread;
            } catch (OutOfMemoryError e) {
                Session.log(Level.WARNING, "no thread for the authentication method", e);
            }
        } else {
            Session.log(Level.WARNING, "the authentication method does not return", null);
        }
        running.decrementAndGet();
        Native.authenticated(handle, asked, false);
        return null;
    }

    private void attempt(long asked) {
        SpreadException failure = method.run();
        running.decrementAndGet();
        Native.authenticated(handle, asked, failure == null);
        if (failure != null) {
            Session.log(Level.WARNING, "not authenticated while reconnecting", failure.getCause());
        }
    }
}
