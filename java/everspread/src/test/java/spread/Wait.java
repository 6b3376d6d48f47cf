package spread;

import java.util.concurrent.Callable;

/** Waits for a condition. */
final class Wait {

    private static final long LIMIT_MS = 20_000;

    private Wait() {}

    /** Until {@code condition} holds; fails after 20 seconds. */
    static void until(String what, Callable<Boolean> condition) throws Exception {
        long end = System.currentTimeMillis() + LIMIT_MS;
        while (!condition.call()) {
            if (System.currentTimeMillis() > end) {
                throw new AssertionError("not within " + LIMIT_MS + " ms: " + what);
            }
            Thread.sleep(2);
        }
    }

    /** Until a thread waits in a native method or for a lock. */
    static void untilBlockedIn(Thread thread, String method) throws Exception {
        until(
                thread + " in " + method,
                () -> {
                    for (StackTraceElement frame : thread.getStackTrace()) {
                        if (frame.getMethodName().equals(method)) {
                            return true;
                        }
                    }
                    return false;
                });
    }
}
