package spread;

/** Is given every message of a connection. */
public interface BasicMessageListener {

    /**
     * A message has arrived. Called on the connection's own thread, one message after the other.
     *
     * @param message the message; all listeners get the same object
     */
    void messageReceived(SpreadMessage message);
}
