package spread.ext;

import java.io.InterruptedIOException;
import java.util.Map;
import spread.SpreadConnection;
import spread.SpreadException;
import spread.SpreadMessage;

/**
 * What {@link SpreadClient} needs of the classic classes and they do not show. Not for programs: it may
 * change at any time.
 */
public abstract class Bridge {

    private static volatile Bridge instance;

    /** For the classic classes. */
    protected Bridge() {}

    /**
     * Called once, by the classic classes.
     *
     * @param bridge to be used
     */
    protected static void install(Bridge bridge) {
        instance = bridge;
    }

    static Bridge get() {
        if (instance == null) {
            // Has it install one.
            new SpreadConnection();
        }
        return instance;
    }

    /**
     * Opens a connection.
     *
     * @param connection to be opened
     * @param daemons a list
     * @param privateName may be null
     * @param membership whether memberships are wanted
     * @param timeoutMs 0 for no limit
     * @param options by name
     * @throws SpreadException if that fails
     */
    protected abstract void connect(
            SpreadConnection connection,
            String daemons,
            String privateName,
            boolean membership,
            int timeoutMs,
            Map<String, String> options)
            throws SpreadException;

    /**
     * Receives for a time.
     *
     * @param connection to receive from
     * @param nanos how long
     * @return null if nothing has come
     * @throws SpreadException as receive
     * @throws InterruptedIOException if the thread was interrupted
     */
    protected abstract SpreadMessage receive(SpreadConnection connection, long nanos)
            throws SpreadException, InterruptedIOException;

    /**
     * Waits for the next event of the present session.
     *
     * @param connection whose
     * @return its fields, or null if there will be no more
     */
    protected abstract String[] nextEvent(SpreadConnection connection);

    /**
     * The figures of the present session.
     *
     * @param connection whose
     * @param numbers is filled, in the order of {@link Statistics}; the last two with the messages and
     *     bytes that have been received by the program
     * @return state, daemon, private group and the reason of the last loss; null if not connected
     */
    protected abstract String[] statistics(SpreadConnection connection, long[] numbers);

    /**
     * Where the daemon is.
     *
     * @param connection whose
     * @return null if not connected
     */
    protected abstract String daemon(SpreadConnection connection);
}
