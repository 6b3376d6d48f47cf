package spread.ext;

import java.time.Duration;

/**
 * Is told what happens to a connection. All methods do nothing unless overridden. They are called on a
 * thread of the connection's own, one at a time, and may make any call.
 */
public interface ConnectionListener {

    /**
     * The daemon is lost. With the option {@code failover=auto} the connection is being restored;
     * otherwise {@link #closed} follows.
     *
     * @param daemon where it was, such as {@code 10.0.0.1:4803}
     */
    default void lost(String daemon) {}

    /**
     * All that the list of daemons stands for was tried in vain.
     *
     * @param attempt vain tries since the loss
     * @param pause until the next one
     */
    default void reconnecting(int attempt, Duration pause) {}

    /**
     * The connection is restored, and its groups are joined again. Members of those see the old private
     * group leave and the new one join.
     *
     * @param how what has changed
     */
    default void reconnected(Reconnection how) {}

    /**
     * More waits to be received than a warning mark.
     *
     * @param messages that wait
     * @param bytes of them
     */
    default void slow(long messages, long bytes) {}

    /**
     * The program has caught up.
     *
     * @param messages that wait
     * @param bytes of them
     */
    default void caughtUp(long messages, long bytes) {}

    /**
     * So much waits to be received that nothing more is read from the daemon until the program has
     * caught up: the daemon may end the connection.
     *
     * @param reason in words: a limit is reached, or what does not fit cannot be written to disk
     */
    default void blocked(String reason) {}

    /**
     * Messages were dropped, as the options say.
     *
     * @param messages how many, since the last call
     * @param bytes of them
     */
    default void dropped(long messages, long bytes) {}

    /**
     * The connection has ended by itself. What has come before can still be received.
     *
     * @param reason in words
     */
    default void closed(String reason) {}
}
