package spread;

import java.nio.ByteBuffer;

/**
 * The native library's methods. Sessions are numbers; a stale one is answered with {@link
 * #NO_SESSION}. Nothing is thrown: what went wrong is a negative status.
 *
 * <p>{@link NativeLoader#ensure()} comes first. Only connections need it: the classes of messages and
 * groups work without the library.
 */
final class Native {

    // As in rust/jni/src/status.rs.
    static final int OK = 0;
    static final int NO_SESSION = -1;
    static final int LOST = -2;
    static final int BROKEN = -3;
    static final int BAD_SERVICE = -4;
    static final int BAD_GROUP = -5;
    static final int TOO_LONG = -6;
    static final int BAD_DAEMON = -7;
    static final int UNREACHABLE = -8;
    static final int CLOSED = -9;
    static final int NOT_AUTHENTICATED = -11;
    static final int BUG = -12;
    static final int BAD_OPTION = -13;
    /** A daemon's refusal: less its code, counted from here. */
    static final int REFUSED = -1000;

    /** From here down: the daemon is too old. Less its version, a byte for each number. */
    static final long OLD = -(1L << 32);

    /** Below this and above -2000: a daemon's refusal. */
    static final int REFUSED_FROM = REFUSED + 128;

    /** Answer of {@link #connect}: run the authentication method, then {@link #finishConnect}. */
    static final long RUN_METHOD = 0;

    // The upper halves of what receive answers.
    static final int FRAMES = 0;
    static final int NEEDS_ROOM = 1;
    static final int TIMED_OUT = 2;
    static final int WOKEN = 3;
    static final int ENDED = 4;
    static final int RENAMED = 5;

    /** Of the methods below: a library with another number is for another jar. */
    static final int INTERFACE = 3;

    private Native() {}

    /** The library's own {@link #INTERFACE}. */
    static native int interfaceVersion();

    /**
     * Opens a session.
     *
     * @param daemons a list, as the C library takes it
     * @param method name of the program's authentication method, or null for none
     * @param timeoutMs 0: no limit
     * @param options {@code name=value} lines, in UTF-8
     * @return the session, {@link #RUN_METHOD}, or a negative status
     */
    static native long connect(
            byte[] daemons,
            byte[] privateName,
            byte[] method,
            boolean priority,
            boolean membership,
            int timeoutMs,
            byte[] options);

    /**
     * Goes on, on the same thread, after the method has run. Answers as {@link #connect}; a status if
     * it has not succeeded.
     */
    static native long finishConnect(boolean ok);

    /**
     * Waits until the restore of a session needs its authentication method run.
     *
     * @param seen the last answer, or 0
     * @return a greater number, for {@link #authenticated}; {@link #NO_SESSION} when there will be none
     */
    static native long nextAuthentication(long session, long seen);

    /** The method has run. Without effect if its attempt is over. */
    static native void authenticated(long session, long number, boolean ok);

    /** Why the last connect of this thread has failed, in UTF-8; answers its length. */
    static native int complaint(byte[] text);

    /** The private group under which the next messages were received; answers its length. */
    static native int privateGroup(long session, byte[] name);

    /**
     * Fills a direct buffer from its start with as many whole frames as are there and fit; waits for
     * the first one.
     *
     * @param timeoutMs negative: for ever
     * @return one of the kinds above in the upper half, a number in the lower one, or a negative status
     */
    static native long receive(long session, ByteBuffer buffer, int timeoutMs);

    /** 1 if a receive would not wait, 0 if it would. */
    static native int ready(long session);

    /** Where a direct buffer is in memory. Finding it out costs as much as many a check of a message. */
    static native long address(ByteBuffer buffer);

    /**
     * Sends a message, and others behind it.
     *
     * @param buffer direct: from its start the groups, 32 bytes each, the body, whole frames
     * @param address what {@link #address} has said of this buffer: it is trusted, as are the lengths
     * @param length of the body
     * @param behind bytes of frames; only for sessions of which {@link #takesMany} is 1
     * @param more whether it may be kept back until the next message without this, or {@link #push}
     */
    static native int multicast(
            long session,
            ByteBuffer buffer,
            long address,
            int service,
            int groups,
            short messType,
            int length,
            int behind,
            boolean more);

    /** Sends what was kept back. */
    static native void push(long session);

    /** 1 if frames can follow a message, 0 if not. */
    static native int takesMany(long session);

    static native int join(long session, byte[] group);

    static native int leave(long session, byte[] group);

    /** Waits for the next event; answers the length of its line, 0 for none, or {@link #NO_SESSION}. */
    static native int event(long session, byte[] text, int timeoutMs);

    /** Where the daemon is; answers the length. */
    static native int daemon(long session, byte[] text);

    /**
     * The figures of a session.
     *
     * @param numbers in the order of {@code spread.ext.Statistics}
     * @param text state, daemon, private group and the reason of the last loss, with tabs between them
     * @return the length of the text, or {@link #NO_SESSION}
     */
    static native int stats(long session, long[] numbers, byte[] text);

    /** Has the present or the next receive answer {@link #WOKEN}. */
    static native void wake(long session);

    /** Ends the session; receivers wake. */
    static native int disconnect(long session);
}
