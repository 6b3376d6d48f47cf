package spread;

/** Anything that goes wrong with a connection, a group or a message. */
public class SpreadException extends Exception {

    /** That of the classic class, so that serialised exceptions can be exchanged with it. */
    private static final long serialVersionUID = 9138150631126879910L;

    /** Without a message. */
    public SpreadException() {}

    /**
     * With a message.
     *
     * @param message what went wrong
     */
    public SpreadException(String message) {
        super(message);
    }

    /** With a message that ends with the text of the cause, as the classic ones do. */
    static SpreadException because(String prefix, Throwable cause) {
        SpreadException exception = new SpreadException(prefix + cause);
        exception.initCause(cause);
        return exception;
    }
}
