package spread;

import java.io.InterruptedIOException;
import java.util.Map;
import spread.ext.Bridge;

/** What package {@code spread.ext} may do with connections. */
final class BridgeToConnection extends Bridge {

    private BridgeToConnection() {}

    static void install() {
        install(new BridgeToConnection());
    }

    @Override
    protected void connect(
            SpreadConnection connection,
            String daemons,
            String privateName,
            boolean membership,
            int timeoutMs,
            Map<String, String> options)
            throws SpreadException {
        connection.connect(
                new Opener()
                        .chosenDaemons(daemons)
                        .privateName(privateName == null ? "" : privateName)
                        .membership(membership)
                        .timeoutMs(timeoutMs)
                        .options(options));
    }

    @Override
    protected SpreadMessage receive(SpreadConnection connection, long nanos)
            throws SpreadException, InterruptedIOException {
        return connection.receive(nanos);
    }

    @Override
    protected String[] nextEvent(SpreadConnection connection) {
        Session session = connection.session();
        return session == null ? null : session.nextEvent();
    }

    @Override
    protected String[] statistics(SpreadConnection connection, long[] numbers) {
        Session session = connection.session();
        return session == null ? null : session.statistics(numbers);
    }

    @Override
    protected String daemon(SpreadConnection connection) {
        Session session = connection.session();
        return session == null ? null : session.daemon();
    }
}
