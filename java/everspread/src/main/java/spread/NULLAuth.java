package spread;

/** The authentication that a connection uses unless told otherwise: none. */
public class NULLAuth implements SpreadAuthInterface {

    /** Does nothing. */
    public NULLAuth() {}

    /** Does nothing. */
    @Override
    public void authenticate() throws SpreadException {}
}
