package spread.ext;

import java.time.Duration;
import java.util.Locale;

/**
 * How one connection stands, and what it has done since it was opened, at one moment. Bytes are those
 * of the wire: headers, groups and bodies.
 */
public final class Statistics {

    // Where the numbers are: as rust/jni gives them.
    private static final int MESSAGES_IN = 0;
    private static final int BYTES_IN = 1;
    private static final int MESSAGES_OUT = 2;
    private static final int BYTES_OUT = 3;
    private static final int MESSAGES_WAITING = 4;
    private static final int BYTES_WAITING = 5;
    private static final int BYTES_SPILLED = 6;
    private static final int PEAK_MESSAGES = 7;
    private static final int PEAK_BYTES = 8;
    private static final int OLDEST = 9;
    private static final int SEND_BLOCKED = 10;
    private static final int RECONNECTS = 11;
    private static final int MESSAGES_DROPPED = 12;
    private static final int BYTES_DROPPED = 13;

    /** So many come from the native library. */
    static final int NUMBERS = 14;

    /** How a connection stands. */
    public enum State {
        /** Connected. */
        OPEN,
        /** Lost, and being restored ({@code failover=auto}). */
        RECONNECTING,
        /** Lost. What has come before can be received; then a receive tells of the loss. */
        ENDING,
        /** Lost, and a receive has told so; or a send has failed. */
        FAILED
    }

    private final long[] numbers;
    private final State state;
    private final String daemon;
    private final String privateGroup;
    private final String lastLoss;

    /** Both as {@link Bridge#statistics} gives them. */
    Statistics(long[] numbers, String[] texts) {
        this.numbers = numbers;
        state = State.valueOf(texts[0].toUpperCase(Locale.ROOT));
        daemon = texts[1];
        privateGroup = texts[2];
        lastLoss = texts[3];
        // What has crossed over from the native library, and the program has not received, waits.
        settle(MESSAGES_IN, MESSAGES_WAITING, PEAK_MESSAGES, numbers[NUMBERS]);
        settle(BYTES_IN, BYTES_WAITING, PEAK_BYTES, numbers[NUMBERS + 1]);
    }

    private void settle(int in, int waiting, int peak, long taken) {
        long here = Math.max(0, numbers[in] - taken);
        numbers[in] -= here;
        numbers[waiting] += here;
        numbers[peak] = Math.max(numbers[peak], numbers[waiting]);
    }

    /**
     * How the connection stands.
     *
     * @return its state
     */
    public State state() {
        return state;
    }

    /**
     * Where the daemon is, or was, if it is lost.
     *
     * @return such as {@code 10.0.0.1:4803}
     */
    public String daemon() {
        return daemon;
    }

    /**
     * The name of this session at the daemon.
     *
     * @return a private group
     */
    public String privateGroup() {
        return privateGroup;
    }

    /**
     * Why the connection was lost last, as far as it can be told; among others, whether the daemon has
     * probably dropped a slow reader.
     *
     * @return in words; empty if it never was
     */
    public String lastLoss() {
        return lastLoss;
    }

    /**
     * Messages of all kinds that the program has received.
     *
     * @return how many
     */
    public long messagesReceived() {
        return numbers[MESSAGES_IN];
    }

    /**
     * Bytes of them.
     *
     * @return how many
     */
    public long bytesReceived() {
        return numbers[BYTES_IN];
    }

    /**
     * Messages that the program has sent, without joins and leaves.
     *
     * @return how many
     */
    public long messagesSent() {
        return numbers[MESSAGES_OUT];
    }

    /**
     * Bytes of them.
     *
     * @return how many
     */
    public long bytesSent() {
        return numbers[BYTES_OUT];
    }

    /**
     * Whole messages that wait to be received by the program.
     *
     * @return how many
     */
    public long messagesWaiting() {
        return numbers[MESSAGES_WAITING];
    }

    /**
     * Bytes that wait, in memory and on disk; those of a message of which only a part has come as
     * well.
     *
     * @return how many
     */
    public long bytesWaiting() {
        return numbers[BYTES_WAITING];
    }

    /**
     * The part of them that is on disk ({@code recv_policy=spill}).
     *
     * @return how many
     */
    public long bytesSpilled() {
        return numbers[BYTES_SPILLED];
    }

    /**
     * The most messages that have waited at a time.
     *
     * @return how many
     */
    public long peakMessages() {
        return numbers[PEAK_MESSAGES];
    }

    /**
     * The most bytes that have waited at a time.
     *
     * @return how many
     */
    public long peakBytes() {
        return numbers[PEAK_BYTES];
    }

    /**
     * For how long the oldest of the bytes that wait in memory have done so, known to the time in
     * which 64 KiB come.
     *
     * @return zero if none wait
     */
    public Duration oldest() {
        return Duration.ofNanos(numbers[OLDEST]);
    }

    /**
     * For how long sends have waited for the daemon, all together.
     *
     * @return a time
     */
    public Duration sendBlocked() {
        return Duration.ofNanos(numbers[SEND_BLOCKED]);
    }

    /**
     * How often the connection was restored ({@code failover=auto}).
     *
     * @return how often
     */
    public long reconnects() {
        return numbers[RECONNECTS];
    }

    /**
     * Messages that were dropped, as {@code recv_policy} says.
     *
     * @return how many
     */
    public long messagesDropped() {
        return numbers[MESSAGES_DROPPED];
    }

    /**
     * Bytes of them.
     *
     * @return how many
     */
    public long bytesDropped() {
        return numbers[BYTES_DROPPED];
    }

    /** State and the most telling figures, for logs; the format may change. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        text.append(privateGroup).append(' ').append(state).append(" at ").append(daemon);
        text.append(": received ").append(messagesReceived());
        text.append(", sent ").append(messagesSent());
        text.append(", waiting ").append(messagesWaiting());
        text.append(" (").append(bytesWaiting()).append(" bytes, for ");
        text.append(oldest().toMillis()).append(" ms), at most ").append(peakMessages());
        text.append(", dropped ").append(messagesDropped());
        text.append(", reconnects ").append(reconnects());
        if (!lastLoss.isEmpty()) {
            text.append(", last lost: ").append(lastLoss);
        }
        return text.toString();
    }
}
