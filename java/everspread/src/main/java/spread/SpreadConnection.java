package spread;

import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Vector;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.logging.Level;

/**
 * A connection to a Spread daemon.
 *
 * <p>Messages are taken with {@link #receive()}, or handed to listeners on a thread of the connection's
 * own; not both at the same time. An object can connect again after it has disconnected, and its
 * listeners stay.
 *
 * <p>Any number of threads may use a connection. No method locks the object itself, and {@link
 * #disconnect()} waits for no other call.
 *
 * <p>When the daemon is lost, the next {@link #receive()} or {@link #multicast(SpreadMessage)} says so,
 * or the listeners' thread ends. From then on {@link #isConnected()} is false and {@link #connect} can
 * be called again, with or without {@link #disconnect()} before it.
 */
public class SpreadConnection {

    /** Size of a field for a group's name; the longest name has one character less. */
    protected static final int MAX_GROUP_NAME = 32;

    static {
        BridgeToConnection.install();
    }

    private static final int DEFAULT_PORT = 4803;
    private static final int MAX_PORT = 65535;
    private static final int MAX_PRIVATE_NAME = 10;
    private static final int MAX_AUTH_NAME = 30;

    /** The registered listeners, in order; a live Vector. */
    @SuppressWarnings("rawtypes") // The classic signature.
    protected Vector basicListeners = new Vector<BasicMessageListener>();

    /** The registered listeners, in order; a live Vector. */
    @SuppressWarnings("rawtypes") // The classic signature.
    protected Vector advancedListeners = new Vector<AdvancedMessageListener>();

    /** One connect at a time. Held while it waits, so nothing else may need it. */
    private final ReentrantLock connecting = new ReentrantLock();

    /** Guards the changes of the listeners, {@link #session} and {@link #dispatcher}. */
    private final Object state = new Object();

    /** Null: not connected. */
    private volatile Session session;

    private Reaper.Watch watch;
    private Dispatcher dispatcher;

    /** Messages that a failed {@link #receive(int)} had taken. */
    private final ArrayDeque<SpreadMessage> kept = new ArrayDeque<>();

    // Of the method that the next connect uses; guarded by connecting.
    private String authName = Authentication.NONE.name();
    private String authClass = NULLAuth.class.getName();

    /** A connection that is not connected. */
    public SpreadConnection() {}

    /**
     * Swaps the bytes of a number.
     *
     * @param i any number
     * @return the bytes in the other order
     */
    protected static int flip(int i) {
        return Integer.reverseBytes(i);
    }

    /**
     * Reads a big-endian number.
     *
     * @param buffer that it is in
     * @param bufferIndex of its first byte
     * @return the number
     */
    protected static int toInt(byte[] buffer, int bufferIndex) {
        return buffer[bufferIndex] << 24
                | (buffer[bufferIndex + 1] & 0xff) << 16
                | (buffer[bufferIndex + 2] & 0xff) << 8
                | buffer[bufferIndex + 3] & 0xff;
    }

    /**
     * Reads a name that ends with a zero byte.
     *
     * @param buffer that it is in
     * @param bufferIndex of its first byte
     * @return the group, bound to this connection; null if there is no zero byte
     */
    protected SpreadGroup toGroup(byte[] buffer, int bufferIndex) {
        for (int end = bufferIndex; end < buffer.length; end++) {
            if (buffer[end] == 0) {
                String name =
                        new String(
                                buffer,
                                bufferIndex,
                                end - bufferIndex,
                                java.nio.charset.StandardCharsets.ISO_8859_1);
                return new SpreadGroup(this, name);
            }
        }
        return null;
    }

    /**
     * Chooses the authentication method of the next connect. The choice stays.
     *
     * <p>{@code connect} runs it on its own thread, in a new object for each daemon that it tries and
     * that gets so far. Where the connection is restored by itself ({@code failover=auto}), it runs
     * again for every attempt, on a daemon thread named {@code spread-auth}; if it throws, or takes
     * longer than the attempt may ({@code attempt_timeout_ms}; the next attempt interrupts it), that
     * attempt has failed.
     *
     * @param authName its name at the daemons, cut to 30 characters
     * @param authClassName a class with a public constructor without parameters and a public method
     *     {@code authenticate()}, usually of {@link SpreadAuthInterface}
     * @throws SpreadException if connected
     */
    public void registerAuthentication(String authName, String authClassName) throws SpreadException {
        connecting.lock();
        try {
            if (isLive(session)) {
                throw new SpreadException("Already connected.");
            }
            this.authClass = authClassName;
            this.authName = cut(authName, MAX_AUTH_NAME);
        } finally {
            connecting.unlock();
        }
    }

    private static String cut(String text, int most) {
        return text.length() > most ? text.substring(0, most) : text;
    }

    /**
     * Opens a connection.
     *
     * <p>An address that was made from a host name stands for that name: where the address does not
     * answer, the name's other addresses are tried. There is no limit in time for an only candidate.
     *
     * @param address of the daemon; null for this machine, by its own name and then the loopback address
     * @param port of the daemon; 0 for 4803
     * @param privateName of this session, unique at the daemon, cut to 10 characters; null or empty to
     *     have the daemon make one up
     * @param priority has no effect at daemons
     * @param groupMembership whether membership messages are wanted
     * @throws SpreadException if there is a connection, or none can be made; the text tells why
     */
    public void connect(
            InetAddress address,
            int port,
            String privateName,
            boolean priority,
            boolean groupMembership)
            throws SpreadException {
        connecting.lock();
        try {
            if (isLive(session)) {
                throw new SpreadException("Already connected.");
            }
            int realPort = port == 0 ? DEFAULT_PORT : port;
            if (realPort < 0 || realPort > MAX_PORT) {
                throw new SpreadException("Bad port (" + realPort + ").");
            }
            open(
                    new Opener()
                            .daemons(Opener.list(address, realPort))
                            .privateName(privateName == null ? "" : cut(privateName, MAX_PRIVATE_NAME))
                            .priority(priority)
                            .membership(groupMembership));
        } finally {
            connecting.unlock();
        }
    }

    /** For package {@code spread.ext}. */
    void connect(Opener opener) throws SpreadException {
        connecting.lock();
        try {
            if (isLive(session)) {
                throw new SpreadException("Already connected.");
            }
            open(opener);
        } finally {
            connecting.unlock();
        }
    }

    /** With {@link #connecting} held, and not connected. */
    private void open(Opener opener) throws SpreadException {
        // What is left of a connection that was lost.
        end(session);
        Authentication method = new Authentication(authName, authClass);
        long handle = opener.authentication(method).open();
        boolean done = false;
        try {
            Session fresh = new Session(this, handle, opener.coalesceMicros());
            if (method.isOwn() && fresh.outlivesItsLink()) {
                Reauthentication.start(handle, method);
            }
            synchronized (state) {
                watch = Reaper.watch(this, handle);
                session = fresh;
                kept.clear();
                startIfNeeded();
            }
            done = true;
        } finally {
            // The system may have no thread left.
            if (!done) {
                giveUp(handle);
            }
        }
    }

    private void giveUp(long handle) {
        synchronized (state) {
            session = null;
            dispatcher = null;
            if (watch != null) {
                Reaper.unwatch(watch);
                watch = null;
            }
        }
        Native.disconnect(handle);
    }

    /**
     * Ends the connection. Messages that have not been received are lost; listeners stay registered.
     * Threads in {@link #receive()} get an exception. In a listener's method the connection ends once
     * all listeners have got the present message.
     *
     * @throws SpreadException if not connected. After the loss of a connection has been reported there
     *     is nothing to do, once
     */
    public void disconnect() throws SpreadException {
        Session present = session;
        if (present == null) {
            throw new SpreadException("Not connected.");
        }
        Dispatcher calling = Dispatcher.calling(this);
        if (calling != null) {
            calling.recordDisconnect(() -> end(present));
        } else if (!end(present)) {
            throw new SpreadException("Not connected.");
        }
    }

    /** False if somebody else has been faster. */
    private boolean end(Session ending) {
        Dispatcher stopping;
        synchronized (state) {
            if (ending == null || session != ending) {
                return false;
            }
            session = null;
            kept.clear();
            Reaper.unwatch(watch);
            watch = null;
            stopping = stopDispatcher();
        }
        ending.close();
        if (stopping != null) {
            stopping.wake();
        }
        return true;
    }

    /**
     * Whether there is a connection, as far as the program has been told.
     *
     * @return false before connect, after disconnect, and after a loss has been reported
     */
    public boolean isConnected() {
        return isLive(session);
    }

    /** Apart from {@link #isConnected()}, which programs override. */
    private static boolean isLive(Session session) {
        return session != null && !session.isLost();
    }

    /**
     * The name of this session, a group that it alone is in.
     *
     * @return always the same object, or null if not connected
     */
    public SpreadGroup getPrivateGroup() {
        Session present = session;
        return present == null ? null : present.privateGroup();
    }

    /**
     * Switches the delay of small packets on or off. They are never delayed here, so this does nothing;
     * programs written for a patched classic library call it.
     *
     * @param on any
     * @throws SpreadException if not connected
     */
    public void setTcpNoDelay(boolean on) throws SpreadException {
        connected();
    }

    private Session connected() throws SpreadException {
        Session present = session;
        if (present == null) {
            throw new SpreadException("Not connected.");
        }
        return present;
    }

    // --- Sending.

    /**
     * Sends a message. When this returns it is with the system, and the object may be used again.
     * Waits while the daemon does not read.
     *
     * @param message to be sent to all its groups
     * @throws SpreadException if not connected, if the message cannot be sent (service, groups, size;
     *     then nothing has happened), or if the connection is found lost
     */
    public void multicast(SpreadMessage message) throws SpreadException {
        Session present = connected();
        present.multicast(message);
        keepAlive();
    }

    /**
     * Sends messages, one after the other.
     *
     * @param messages to be sent
     * @throws SpreadException for the first that cannot be sent; those before it are sent
     */
    public void multicast(SpreadMessage[] messages) throws SpreadException {
        if (messages.length == 0) {
            return;
        }
        if (overridesMulticast()) {
            for (SpreadMessage message : messages) {
                multicast(message);
            }
        } else {
            connected().multicast(messages);
            keepAlive();
        }
    }

    /** Whether the program has a multicast of its own, which is to see every message. */
    private boolean overridesMulticast() {
        try {
            return getClass() != SpreadConnection.class
                    && getClass().getMethod("multicast", SpreadMessage.class).getDeclaringClass()
                            != SpreadConnection.class;
        } catch (NoSuchMethodException | RuntimeException e) {
            return true;
        }
    }

    /** Has the collector know that this object is still in use here, as it reads a volatile field. */
    private boolean keepAlive() {
        return session != null;
    }

    // --- Receiving.

    /**
     * Waits for the next message. Several threads take turns. Interrupting the thread has no effect.
     *
     * @return the message
     * @throws SpreadException if there are listeners, if not connected, when the connection has ended
     *     (also by {@link #disconnect()}), or for a message that makes no sense
     * @throws InterruptedIOException never
     */
    public SpreadMessage receive() throws SpreadException, InterruptedIOException {
        refuseListeners();
        Session present = connected();
        SpreadMessage message = fromKept();
        return message != null ? message : present.receive(null);
    }

    /** For package {@code spread.ext}: null if nothing has come in time. */
    SpreadMessage receive(long nanos) throws SpreadException, InterruptedIOException {
        refuseListeners();
        Session present = connected();
        SpreadMessage message = fromKept();
        return message != null ? message : present.receive(nanos);
    }

    /** For package {@code spread.ext}. */
    Session session() {
        return session;
    }

    /**
     * Waits for so many messages. If the connection ends meanwhile, those that came are not lost: the
     * next calls get them.
     *
     * @param numMessages how many
     * @return so many
     * @throws SpreadException as {@link #receive()}
     * @throws InterruptedIOException never
     */
    public SpreadMessage[] receive(int numMessages) throws SpreadException, InterruptedIOException {
        refuseListeners();
        SpreadMessage[] messages = new SpreadMessage[numMessages];
        if (numMessages == 0) {
            return messages;
        }
        Session present = connected();
        List<SpreadMessage> got = new ArrayList<>();
        try {
            present.receive(this::fromKept, numMessages, got);
        } catch (SpreadException e) {
            synchronized (state) {
                if (session == present) {
                    kept.addAll(got);
                }
            }
            throw e;
        }
        return got.toArray(messages);
    }

    private SpreadMessage fromKept() {
        synchronized (state) {
            return kept.poll();
        }
    }

    private void refuseListeners() throws SpreadException {
        if (hasListeners()) {
            throw new SpreadException("Tried to receive while there are listeners");
        }
    }

    /**
     * Whether {@link #receive()} would not wait: a message is there, or the end of the connection is to
     * be reported.
     *
     * @return whether it is so
     * @throws SpreadException if not connected
     */
    public boolean poll() throws SpreadException {
        Session present = connected();
        synchronized (state) {
            if (!kept.isEmpty()) {
                return true;
            }
        }
        boolean ready = present.poll();
        keepAlive();
        return ready;
    }

    // --- Listeners.

    /**
     * Registers a listener; twice, to be called twice. In a listener's method this takes effect after
     * the present message.
     *
     * @param listener null is ignored
     */
    public void add(BasicMessageListener listener) {
        change(basicListeners, listener, true);
    }

    /**
     * Registers a listener; twice, to be called twice. In a listener's method this takes effect after
     * the present message.
     *
     * @param listener null is ignored
     */
    public void add(AdvancedMessageListener listener) {
        change(advancedListeners, listener, true);
    }

    /**
     * Takes away one registration. In a listener's method this takes effect after the present message.
     *
     * @param listener one that is not registered is ignored
     */
    public void remove(BasicMessageListener listener) {
        change(basicListeners, listener, false);
    }

    /**
     * Takes away one registration. In a listener's method this takes effect after the present message.
     *
     * @param listener one that is not registered is ignored
     */
    public void remove(AdvancedMessageListener listener) {
        change(advancedListeners, listener, false);
    }

    @SuppressWarnings({"rawtypes", "unchecked"})
    private void change(Vector listeners, Object listener, boolean add) {
        if (listener == null) {
            return;
        }
        Dispatcher calling = Dispatcher.calling(this);
        if (calling != null) {
            calling.record(() -> changeNow(listeners, listener, add));
        } else {
            changeNow(listeners, listener, add);
        }
    }

    @SuppressWarnings({"rawtypes", "unchecked"})
    private void changeNow(Vector listeners, Object listener, boolean add) {
        Dispatcher stopping = null;
        synchronized (state) {
            if (add) {
                listeners.addElement(listener);
                startIfNeeded();
            } else {
                listeners.removeElement(listener);
                if (!hasListeners()) {
                    stopping = stopDispatcher();
                }
            }
        }
        if (stopping != null) {
            stopping.wake();
        }
    }

    /** With {@link #state} held. Gives the one that is to be woken without it, or null. */
    private Dispatcher stopDispatcher() {
        Dispatcher stopping = dispatcher;
        dispatcher = null;
        if (stopping != null) {
            stopping.stop();
        }
        return stopping;
    }

    /** With {@link #state} held. */
    private void startIfNeeded() {
        if (dispatcher == null && isLive(session) && hasListeners()) {
            dispatcher = new Dispatcher(this, session);
            dispatcher.start();
        }
    }

    private boolean hasListeners() {
        return !basicListeners.isEmpty() || !advancedListeners.isEmpty();
    }

    /** For {@link Dispatcher}: with the listeners and the dispatcher held as they are. */
    boolean withState(BooleanSupplier action) {
        synchronized (state) {
            return action.getAsBoolean();
        }
    }

    /** For {@link Dispatcher}. */
    @SuppressWarnings("unchecked")
    BasicMessageListener[] basicSnapshot() {
        return ((Vector<BasicMessageListener>) basicListeners).toArray(new BasicMessageListener[0]);
    }

    /** For {@link Dispatcher}. */
    @SuppressWarnings("unchecked")
    AdvancedMessageListener[] advancedSnapshot() {
        return ((Vector<AdvancedMessageListener>) advancedListeners)
                .toArray(new AdvancedMessageListener[0]);
    }

    /** The listeners' thread has found the connection lost. */
    void lost(SpreadException reason) {
        Session.log(Level.WARNING, "the connection to the daemon is lost", reason);
    }
}
