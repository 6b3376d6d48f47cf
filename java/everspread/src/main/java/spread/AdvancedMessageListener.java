package spread;

/** Is given every message of a connection, data and memberships apart. */
public interface AdvancedMessageListener {

    /**
     * A message with data has arrived.
     *
     * @param message the message; all listeners get the same object
     */
    void regularMessageReceived(SpreadMessage message);

    /**
     * Any other message has arrived: of a membership, or one that the daemon has rejected (then
     * {@link SpreadMessage#getMembershipInfo()} is null).
     *
     * @param message the message; all listeners get the same object
     */
    void membershipMessageReceived(SpreadMessage message);
}
