package spread;

/**
 * The client's side of an authentication method, see {@link
 * SpreadConnection#registerAuthentication(String, String)}.
 */
public interface SpreadAuthInterface {

    /**
     * Runs while a connection is being opened, on the thread that connects; and when a connection is
     * restored by itself, on a thread of its own.
     *
     * @throws SpreadException if the connection must not be opened; any other exception refuses it too
     */
    void authenticate() throws SpreadException;
}
