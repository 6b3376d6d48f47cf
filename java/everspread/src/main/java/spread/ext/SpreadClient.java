package spread.ext;

import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CopyOnWriteArrayList;
import spread.SpreadConnection;
import spread.SpreadException;
import spread.SpreadMessage;

/**
 * A connection that can do more than the classic one: it is opened by a list of daemons and options,
 * closed by try-with-resources, received from with a time limit, and tells what happens to it.
 *
 * <pre>{@code
 * Properties options = new Properties();
 * options.setProperty("spread.client.daemons", "4803@own-host,4803@lan.example,4803@example.org");
 * options.setProperty("spread.client.failover", "auto");
 * try (SpreadClient client = SpreadClient.open(options)) {
 *     client.addConnectionListener(new ConnectionListener() {
 *         public void reconnected(Reconnection how) { System.out.println(how); }
 *     });
 *     ...
 *     SpreadMessage message = client.receive(Duration.ofSeconds(1));
 * }
 * }</pre>
 *
 * <p>The same properties, as system properties, hold for every connection of the JVM, also of programs
 * that know the classic interface only.
 */
public class SpreadClient extends SpreadConnection implements AutoCloseable {

    /** What all properties begin with. */
    public static final String PREFIX = "spread.client.";

    /** Property: the list of daemons, such as {@code 4803@host,4803@other}. */
    public static final String DAEMONS = PREFIX + "daemons";

    /** Property: the private name. */
    public static final String PRIVATE_NAME = PREFIX + "private_name";

    /** Property: whether membership messages are wanted; {@code true} unless it says otherwise. */
    public static final String MEMBERSHIP = PREFIX + "membership";

    /** Property: how long a connect may take, in milliseconds; 0, the default, is no limit. */
    public static final String CONNECT_TIMEOUT = PREFIX + "connect_timeout_ms";

    /**
     * Property: for how many microseconds a message may be kept back so that others, sent right after
     * it, go with it; 0, the default, to 100000. About twice as many small messages can be sent so. A
     * receive sends what was kept back before it waits, unless another thread is sending just then.
     */
    public static final String COALESCE = PREFIX + "coalesce_us";

    private final List<ConnectionListener> connectionListeners = new CopyOnWriteArrayList<>();

    /** There is a thread for them; guarded by the list. */
    private boolean watching;

    /** A client that is not connected. */
    public SpreadClient() {}

    /**
     * Opens a connection.
     *
     * @param properties see {@link #connect(Properties)}
     * @return the open client
     * @throws SpreadException as {@link #connect(Properties)}
     */
    public static SpreadClient open(Properties properties) throws SpreadException {
        SpreadClient client = new SpreadClient();
        client.connect(properties);
        return client;
    }

    /**
     * Opens a connection.
     *
     * @param daemons a list, such as {@code 4803@host,4803@other}
     * @param privateName at most 10 characters; null to have the daemon make one up
     * @throws SpreadException if there is a connection, or none can be made
     */
    public void connect(String daemons, String privateName) throws SpreadException {
        Properties properties = new Properties();
        properties.setProperty(DAEMONS, daemons);
        if (privateName != null) {
            properties.setProperty(PRIVATE_NAME, privateName);
        }
        connect(properties);
    }

    /**
     * Opens a connection.
     *
     * @param properties {@link #DAEMONS}, {@link #PRIVATE_NAME}, {@link #MEMBERSHIP}, {@link
     *     #CONNECT_TIMEOUT}, {@link #COALESCE}, and any option of docs/OPTIONS.md behind {@link #PREFIX}; other properties
     *     are ignored
     * @throws SpreadException if there is a connection, if none can be made, or for a property that
     *     cannot be
     */
    public void connect(Properties properties) throws SpreadException {
        Map<String, String> options = new HashMap<>();
        for (String name : properties.stringPropertyNames()) {
            if (name.startsWith(PREFIX)) {
                options.put(name.substring(PREFIX.length()), properties.getProperty(name));
            }
        }
        String daemons = take(options, DAEMONS, "4803@localhost");
        String privateName = take(options, PRIVATE_NAME, null);
        boolean membership = !"false".equalsIgnoreCase(take(options, MEMBERSHIP, "true"));
        String timeout = take(options, CONNECT_TIMEOUT, "0");
        int timeoutMs;
        try {
            timeoutMs = Integer.parseInt(timeout.trim());
        } catch (NumberFormatException e) {
            timeoutMs = -1;
        }
        if (timeoutMs < 0) {
            throw new SpreadException(
                    "Bad option: " + CONNECT_TIMEOUT + " cannot be \"" + timeout + "\"");
        }
        Bridge.get().connect(this, daemons, privateName, membership, timeoutMs, options);
        watch();
    }

    @Override
    public void connect(
            InetAddress address,
            int port,
            String privateName,
            boolean priority,
            boolean groupMembership)
            throws SpreadException {
        super.connect(address, port, privateName, priority, groupMembership);
        watch();
    }

    private static String take(Map<String, String> options, String name, String otherwise) {
        String value = options.remove(name.substring(PREFIX.length()));
        return value == null ? otherwise : value;
    }

    /**
     * Waits for the next message for a time. Interrupting the thread ends the wait.
     *
     * @param timeout how long; zero to take only what is there
     * @return the message, or null if none has come
     * @throws SpreadException as {@link #receive()}
     * @throws InterruptedIOException if the thread is interrupted; nothing is lost
     */
    public SpreadMessage receive(Duration timeout) throws SpreadException, InterruptedIOException {
        long nanos;
        try {
            nanos = timeout.toNanos();
        } catch (ArithmeticException e) {
            nanos = timeout.isNegative() ? 0 : Long.MAX_VALUE;
        }
        return Bridge.get().receive(this, Math.max(0, nanos));
    }

    /**
     * Registers a listener for the present and all later connections of this object.
     *
     * @param listener to be told
     */
    public void addConnectionListener(ConnectionListener listener) {
        connectionListeners.add(java.util.Objects.requireNonNull(listener));
        if (daemon() != null) {
            watch();
        }
    }

    /**
     * Takes away a listener.
     *
     * @param listener not to be told any more
     */
    public void removeConnectionListener(ConnectionListener listener) {
        connectionListeners.remove(listener);
    }

    /**
     * How the present connection stands, and what it has done. After a loss that cannot be repaired they
     * are to be had until {@link #close()} or the next connect. Never waits for the network.
     *
     * @return the figures of this moment; the object does not change
     * @throws SpreadException if not connected
     */
    public Statistics statistics() throws SpreadException {
        long[] numbers = new long[Statistics.NUMBERS + 2];
        String[] texts = Bridge.get().statistics(this, numbers);
        if (texts == null) {
            throw new SpreadException("Not connected.");
        }
        return new Statistics(numbers, texts);
    }

    /**
     * Where the daemon is, or was, if it is lost.
     *
     * @return such as {@code 10.0.0.1:4803}; null if not connected
     */
    public String daemon() {
        return Bridge.get().daemon(this);
    }

    /** Disconnects, if connected. */
    @Override
    public void close() {
        try {
            disconnect();
        } catch (SpreadException e) {
            // It was not connected.
        }
    }

    /** Called when a connection has been opened, and when a listener is there. */
    private void watch() {
        synchronized (connectionListeners) {
            if (watching || connectionListeners.isEmpty()) {
                return;
            }
            watching = true;
        }
        Thread thread = new Thread(this::tellListeners, "spread-events");
        thread.setDaemon(true);
        thread.start();
    }

    private void tellListeners() {
        String[] event;
        while ((event = Bridge.get().nextEvent(this)) != null) {
            String[] fields = event;
            for (ConnectionListener listener : connectionListeners) {
                try {
                    tell(listener, fields);
                } catch (RuntimeException | Error e) {
                    Thread thread = Thread.currentThread();
                    thread.getUncaughtExceptionHandler().uncaughtException(thread, e);
                }
            }
        }
        synchronized (connectionListeners) {
            watching = false;
        }
        // A new connection may have been opened meanwhile, and even be lost again.
        if (daemon() != null) {
            watch();
        }
    }

    private static void tell(ConnectionListener listener, String[] fields) {
        switch (fields[0]) {
            case "lost":
                listener.lost(fields[1]);
                break;
            case "reconnecting":
                listener.reconnecting(
                        Integer.parseInt(fields[1]), Duration.ofMillis(Long.parseLong(fields[2])));
                break;
            case "reconnected":
                listener.reconnected(
                        new Reconnection(
                                fields[1],
                                fields[2],
                                fields[3],
                                Duration.ofMillis(Long.parseLong(fields[4])),
                                Integer.parseInt(fields[5]),
                                Integer.parseInt(fields[6]),
                                Integer.parseInt(fields[7])));
                break;
            case "slow":
                counts(fields, listener::slow);
                break;
            case "caught-up":
                counts(fields, listener::caughtUp);
                break;
            case "blocked":
                listener.blocked(fields[1]);
                break;
            case "dropped":
                counts(fields, listener::dropped);
                break;
            case "closed":
                listener.closed(fields[1]);
                break;
            default:
                // Of no interest to programs.
        }
    }

    /** Takes a number of messages and of bytes. */
    private interface Counts {
        void tell(long messages, long bytes);
    }

    private static void counts(String[] fields, Counts counts) {
        counts.tell(Long.parseLong(fields[1]), Long.parseLong(fields[2]));
    }
}
