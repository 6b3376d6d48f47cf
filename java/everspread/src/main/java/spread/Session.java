package spread;

import java.io.InterruptedIOException;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * One session with the daemon, from connect to disconnect.
 *
 * <p>Two locks, the first before the second: {@link #receiving} by the one thread that takes messages out of
 * {@link #in} or waits for more, {@link #sending} by the one that fills {@link #out}. Neither is needed
 * to disconnect.
 */
final class Session {

    /** As the classic client: header, groups and body together. */
    private static final int LONGEST_MESSAGE = 140000;

    private static final int HEADER = 48;

    /** Most groups of one message: above it daemons close the connection. */
    static final int MOST_GROUPS = 100;

    /** Above this a 5.0.1 daemon delivers a message to nobody. */
    static final int DELIVERED_GROUPS = 43;

    /** Room for one crossing. Larger messages get what they need, for their time. */
    private static final int RECEIVE_BUFFER = 64 * 1024;

    private static final int SEND_BUFFER = 8 * 1024;

    /** Room for messages that are sent together. */
    private static final int MANY = 64 * 1024;

    private static final long EVENT_PAUSE_NANOS = 100_000_000;

    private static final String HEADER_CUT = "Connection closed while reading message header";

    private static final Logger LOG = Logger.getLogger("spread");

    /** A receiver that can be told to return without a message. */
    interface Stop {
        /** Whether it is to return. */
        boolean isStopped();

        /** Called when a message is there, just before it is taken. False: it is to stay. */
        default boolean take() {
            return true;
        }

        /** How long to wait for messages; negative: for ever. */
        default int timeoutMs() {
            return -1;
        }
    }

    private final long handle;
    private final SpreadConnection connection;
    private volatile SpreadGroup privateGroup;
    private final FrameReader reader;

    private final ReentrantLock receiving = new ReentrantLock();
    private ByteBuffer in;
    /** What came last needed more than the usual buffer, so the next may, too. */
    private boolean large;
    /** Bytes in {@link #in}, for {@link #poll()}. */
    private volatile int buffered;

    private final ReentrantLock sending = new ReentrantLock();
    private FrameWriter out;
    private final boolean takesMany;
    private final Coalescing coalescing;
    private boolean warned;

    // What has left the buffer: for the native side all of that is received. Counted under the lock for
    // receiving, so without contention; read by anybody.
    private final AtomicLong messagesTaken = new AtomicLong();
    private final AtomicLong bytesTaken = new AtomicLong();

    /** The program has disconnected. */
    private volatile boolean closed;
    /** The loss has been reported to the program. */
    private volatile boolean lost;
    /** A receive has reported it: there is nothing more to come. */
    private volatile boolean endReported;

    /** {@code coalesceMicros}: 0 for none. */
    Session(SpreadConnection connection, long handle, int coalesceMicros) {
        this.handle = handle;
        this.connection = connection;
        takesMany = Native.takesMany(handle) > 0;
        coalescing = coalesceMicros == 0 ? null : new Coalescing(this, coalesceMicros);
        reader = new FrameReader(connection);
        rename();
    }

    /** Finds out under which name messages are received from now on. */
    private void rename() {
        byte[] name = new byte[Names.FIELD];
        int length = Math.max(0, Native.privateGroup(handle, name));
        String text = new String(name, 0, length, StandardCharsets.ISO_8859_1);
        privateGroup = new SpreadGroup(connection, text);
        reader.rename(text);
    }

    SpreadGroup privateGroup() {
        return privateGroup;
    }

    /** Whether a lost link is replaced ({@code failover=auto}). */
    boolean outlivesItsLink() {
        return !takesMany;
    }

    /** Whether the program has been told that the connection is lost. */
    boolean isLost() {
        return lost;
    }

    boolean isClosed() {
        return closed;
    }

    /** Whether a receive has reported the end. A send that has failed does not: messages may wait. */
    boolean hasEnded() {
        return endReported;
    }

    // --- Receiving.

    /** Waits for a message; null if {@code stop} says so. */
    SpreadMessage receive(Stop stop) throws SpreadException {
        receiving.lock();
        try {
            return next(stop);
        } finally {
            receiving.unlock();
        }
    }

    /**
     * Waits for a message for a time, null if none has come. Interrupting the thread ends the wait.
     */
    SpreadMessage receive(long nanos) throws SpreadException, InterruptedIOException {
        TimedWait wait = new TimedWait(this, nanos);
        try {
            if (!receiving.tryLock(nanos, TimeUnit.NANOSECONDS)) {
                return null;
            }
        } catch (InterruptedException e) {
            throw TimedWait.interrupted();
        }
        try {
            return wait.run(() -> next(wait));
        } finally {
            receiving.unlock();
        }
    }

    /**
     * The native side's figures, and behind them the messages and bytes that have left the buffer here.
     *
     * @param numbers is filled
     * @return state, daemon, private group and the reason of the last loss; null after a disconnect
     */
    String[] statistics(long[] numbers) {
        byte[] text = new byte[4000];
        int length = Native.stats(handle, numbers, text);
        if (length < 0) {
            return null;
        }
        numbers[numbers.length - 2] = messagesTaken.get();
        numbers[numbers.length - 1] = bytesTaken.get();
        return new String(text, 0, length, StandardCharsets.UTF_8).split("\t", 4);
    }

    /** Where the daemon is. */
    String daemon() {
        byte[] text = new byte[300];
        int length = Math.max(0, Native.daemon(handle, text));
        return new String(text, 0, length, StandardCharsets.UTF_8);
    }

    /** Waits for the next event; null if there will be no more. */
    String[] nextEvent() {
        byte[] text = new byte[1000];
        while (true) {
            int length = Native.event(handle, text, -1);
            if (length < 0) {
                return null;
            }
            if (length > 0) {
                return new String(text, 0, length, StandardCharsets.UTF_8).split("\t", -1);
            }
            // The system has nothing left to wait with.
            LockSupport.parkNanos(EVENT_PAUSE_NANOS);
        }
    }

    /**
     * Waits for so many messages, holding the turn.
     *
     * @param before gives messages that come before those of the daemon, then null
     * @param got is added to, also where this fails
     */
    void receive(Supplier<SpreadMessage> before, int count, List<SpreadMessage> got)
            throws SpreadException {
        receiving.lock();
        try {
            while (got.size() < count) {
                SpreadMessage message = before.get();
                got.add(message != null ? message : next(null));
            }
        } finally {
            receiving.unlock();
        }
    }

    private SpreadMessage next(Stop stop) throws SpreadException {
        while (true) {
            if (closed) {
                throw new SpreadException(
                        "readBytesFromSocketListener(): read() "
                                + new SocketException("Socket closed"));
            }
            if (stop != null && stop.isStopped()) {
                return null;
            }
            if (in != null && in.hasRemaining()) {
                if (stop != null && !stop.take()) {
                    return null;
                }
                int start = in.position();
                try {
                    return reader.read(in);
                } finally {
                    messagesTaken.lazySet(messagesTaken.get() + 1);
                    bytesTaken.lazySet(bytesTaken.get() + (in.position() - start));
                    buffered = in.remaining();
                }
            }
            if (in == null || in.capacity() > RECEIVE_BUFFER && !large) {
                in = ByteBuffer.allocateDirect(RECEIVE_BUFFER);
                in.limit(0);
            }
            fetch(stop == null ? -1 : stop.timeoutMs());
        }
    }

    /** Fills the empty buffer; returns without having done so when woken or out of time. */
    private void fetch(int timeoutMs) throws SpreadException {
        // What is waited for may be an answer. A sender that is at it may be held up by the daemon, so it is
        // not waited for: what is kept back leaves with its message, or when the time is over.
        if (coalescing != null && coalescing.isHeld() && sending.tryLock()) {
            try {
                push();
            } finally {
                sending.unlock();
            }
        }
        long answer = Native.receive(handle, in, timeoutMs);
        int kind = (int) (answer >> 32);
        int number = (int) answer;
        switch (kind) {
            case Native.FRAMES:
                in.clear().limit(number);
                large = number > RECEIVE_BUFFER;
                buffered = number;
                return;
            case Native.NEEDS_ROOM:
                in = ByteBuffer.allocateDirect(number);
                in.limit(0);
                // The message is there.
                large = true;
                fetch(timeoutMs);
                return;
            case Native.RENAMED:
                rename();
                return;
            case Native.TIMED_OUT:
            case Native.WOKEN:
                return;
            case Native.ENDED:
                endReported = true;
                lost = true;
                throw new SpreadException(cutText(number));
            default:
                if (answer == Native.NO_SESSION) {
                    // A disconnect: the next look sees it.
                    closed = true;
                    return;
                }
                endReported = true;
                lost = true;
                throw new SpreadException(
                        answer == Native.BROKEN
                                ? FrameReader.ILLEGAL
                                : "internal error of the native library");
        }
    }

    private static String cutText(int where) {
        switch (where) {
            case 1:
                return "Connection closed while reading message reject type";
            case 2:
                return "Connection closed while reading message group name";
            case 3:
                return "Connection closed while reading message body";
            default:
                return HEADER_CUT;
        }
    }

    /** Whether a receive would not wait; true once at the end of the connection. */
    boolean poll() {
        return buffered > 0 || !endReported && Native.ready(handle) > 0;
    }

    /** Has receivers look at their {@link Stop}. */
    void wake() {
        Native.wake(handle);
    }

    // --- Sending.

    void multicast(SpreadMessage message) throws SpreadException {
        int service = message.getServiceType();
        byte[] body = message.getData();
        SpreadGroup[] groups = message.getGroups();
        if (isRequest(service) && groups.length == 1 && body.length == 0) {
            byte[] name = Names.encode(groups[0].toString());
            control((service & SpreadMessage.JOIN_MESS) != 0, name);
            return;
        }
        if (HEADER + Names.FIELD * (long) groups.length + body.length > LONGEST_MESSAGE) {
            throw new SpreadException("Message is too long for a Spread Message");
        }
        if (groups.length > MOST_GROUPS) {
            throw new SpreadException("Too many groups: " + groups.length + ", at most 100");
        }
        sending.lock();
        try {
            FrameWriter frames = writer(HEADER + Names.FIELD * groups.length + body.length);
            frames.begin(service, groups, message.getType(), body);
            if (groups.length > DELIVERED_GROUPS && !warned) {
                warned = true;
                LOG.warning("a 5.0.1 daemon delivers messages to more than 43 groups to nobody");
            }
            send(frames);
        } finally {
            sending.unlock();
        }
    }

    /** Sends messages in order, many of them at a time; stops at the first that cannot be sent. */
    void multicast(SpreadMessage[] messages) throws SpreadException {
        int next = 0;
        while (next < messages.length) {
            int taken = takesMany ? multicastMany(messages, next) : 0;
            if (taken == 0) {
                // It has to go by itself, or is refused.
                multicast(messages[next]);
                taken = 1;
            }
            next += taken;
        }
    }

    /** Sends as many ordinary messages as fit together, from {@code first} on; how many these are. */
    private int multicastMany(SpreadMessage[] messages, int first) throws SpreadException {
        sending.lock();
        try {
            FrameWriter frames = writer(MANY);
            int taken = 0;
            while (first + taken < messages.length
                    && frames.add(messages[first + taken], privateGroup.toString())) {
                taken++;
            }
            if (taken > 0) {
                send(frames);
            }
            return taken;
        } finally {
            sending.unlock();
        }
    }

    /** With room for so many bytes, and nothing in it. */
    private FrameWriter writer(int length) {
        if (out == null || out.capacity() < length) {
            out = new FrameWriter(Math.max(SEND_BUFFER, length + length / 4));
        }
        out.clear();
        return out;
    }

    private void send(FrameWriter frames) throws SpreadException {
        boolean more = coalescing != null && frames.count() == 1 && coalescing.mayWait();
        if (coalescing != null && !more) {
            coalescing.pushed();
        }
        check(frames.send(handle, more), frames.service());
    }

    /** Null if nothing is kept back. */
    Coalescing coalescing() {
        return coalescing;
    }

    /** For the thread of {@link Coalescing}. False: somebody is sending just now. */
    boolean pushKeptBack() {
        if (!sending.tryLock()) {
            return false;
        }
        try {
            push();
            coalescing.left();
            return true;
        } finally {
            sending.unlock();
        }
    }

    private void push() {
        if (coalescing.isHeld()) {
            coalescing.pushed();
            Native.push(handle);
        }
    }

    /** Whether a program has put a join or a leave together by itself. */
    private static boolean isRequest(int service) {
        int bare = service & ~0x80000080;
        return bare == SpreadMessage.JOIN_MESS || bare == SpreadMessage.LEAVE_MESS;
    }

    static SpreadException tooLong(String name) {
        return new SpreadException(
                "Illegal group name: " + name.length() + " characters, at most " + Names.LONGEST);
    }

    private void control(boolean join, byte[] group) throws SpreadException {
        if (group.length > Names.LONGEST) {
            throw tooLong(new String(group, StandardCharsets.ISO_8859_1));
        }
        check(join ? Native.join(handle, group) : Native.leave(handle, group), 0);
    }

    private void check(int status, int service) throws SpreadException {
        if (status == Native.OK) {
            return;
        }
        if (status == Native.BAD_SERVICE) {
            throw new SpreadException(
                    String.format("Illegal service type: 0x%x would end the connection", service));
        }
        if (status == Native.BAD_GROUP) {
            throw new SpreadException("Illegal group name.");
        }
        if (status == Native.TOO_LONG) {
            throw new SpreadException("Message is too long for a Spread Message");
        }
        if (status == Native.LOST) {
            lost = true;
            throw SpreadException.because("write(): ", new SocketException("Broken pipe"));
        }
        if (status == Native.NO_SESSION) {
            throw SpreadException.because("write(): ", new SocketException("Socket closed"));
        }
        throw new SpreadException("write(): internal error of the native library");
    }

    // --- The end.

    /** Says good-bye to the daemon; receivers wake. Safe to be called again. */
    void close() {
        closed = true;
        Native.disconnect(handle);
    }

    /** Logs what no caller can be told. */
    static void log(Level level, String text, Throwable cause) {
        LOG.log(level, text, cause);
    }
}
