package spread;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** Authentication methods of programs. */
class AuthTest {

    private static Thread calledOn;

    /** Lets everybody in. */
    public static class Good implements SpreadAuthInterface {
        @Override
        public void authenticate() {
            calledOn = Thread.currentThread();
        }
    }

    /** Implements nothing, as programs may. */
    public static class Loose {
        public void authenticate() {
            calledOn = Thread.currentThread();
        }
    }

    /** Says no. */
    public static class Refusing implements SpreadAuthInterface {
        @Override
        public void authenticate() throws SpreadException {
            throw new SpreadException("no");
        }
    }

    /** Says no in its own way. */
    public static class Special implements SpreadAuthInterface {
        @Override
        public void authenticate() throws SpreadException {
            throw new SpreadException("no") {
                private static final long serialVersionUID = 1;
            };
        }
    }

    /** Fails. */
    public static class Failing implements SpreadAuthInterface {
        @Override
        public void authenticate() {
            throw new IllegalStateException("broken");
        }
    }

    /** Cannot be made. */
    public static class Closed implements SpreadAuthInterface {
        private Closed() {}

        @Override
        public void authenticate() {}
    }

    /** Has not the method. */
    public static class Empty {}

    private static String connect(FakeDaemon daemon, SpreadConnection client) throws Exception {
        try {
            daemon.meet(
                    client,
                    "me",
                    () -> {
                        daemon.readRequest();
                        daemon.offer("NULL MINE ");
                        daemon.readMethods();
                        try {
                            daemon.answer(1, 5, 0, 1, "#me#fake");
                        } catch (java.io.IOException e) {
                            // The client has gone.
                        }
                    });
            return "connected";
        } catch (SpreadException e) {
            assertThat(client.isConnected()).isFalse();
            return e.getMessage();
        }
    }

    @Test
    void methodRunsOnTheConnectingThreadAfterItsNameWasSent() throws Exception {
        for (Class<?> method : new Class<?>[] {Good.class, Loose.class}) {
            try (FakeDaemon daemon = new FakeDaemon()) {
                SpreadConnection client = new SpreadConnection();
                client.registerAuthentication("MINE", method.getName());
                calledOn = null;
                assertThat(connect(daemon, client)).isEqualTo("connected");
                assertThat(calledOn).isSameAs(Thread.currentThread());
                assertThat(new String(daemon.methods, StandardCharsets.ISO_8859_1))
                        .startsWith("MINE\0");
                client.disconnect();
            }
        }
    }

    @Test
    void failureOfAnyKindRefusesTheConnection() throws Exception {
        String[] methods = {
            Refusing.class.getName(),
            Special.class.getName(),
            Failing.class.getName(),
            Closed.class.getName(),
            Empty.class.getName(),
            "no.such.Class",
            null
        };
        for (String method : methods) {
            try (FakeDaemon daemon = new FakeDaemon()) {
                SpreadConnection client = new SpreadConnection();
                client.registerAuthentication("MINE", method);
                assertThat(connect(daemon, client))
                        .as(method)
                        .isEqualTo("Connection Rejected: Authentication failed");
                // The choice stays, and can be changed.
                client.registerAuthentication("NULL", NULLAuth.class.getName());
                try (FakeDaemon next = new FakeDaemon()) {
                    assertThat(connect(next, client)).isEqualTo("connected");
                    client.disconnect();
                }
            }
        }
    }

    @Test
    void methodThatTheDaemonDoesNotOfferIsRejected() throws Exception {
        try (spread.testing.TestNetwork network = spread.testing.TestNetwork.start(1)) {
            SpreadConnection client = new SpreadConnection();
            for (String name : new String[] {"UNKNOWN", ""}) {
                client.registerAuthentication(name, NULLAuth.class.getName());
                try {
                    client.connect(
                            network.daemon(0).address(), network.daemon(0).port(), "x", false, true);
                    throw new AssertionError("connected with " + name);
                } catch (SpreadException e) {
                    assertThat(e).hasMessage("Connection attempt rejected=-9");
                }
            }
        }
    }

    @Test
    void nullNameIsRefusedAfterTheClassWasTaken() throws Exception {
        SpreadConnection client = new SpreadConnection();
        try {
            client.registerAuthentication(null, Refusing.class.getName());
            throw new AssertionError("accepted");
        } catch (NullPointerException e) {
            try (FakeDaemon daemon = new FakeDaemon()) {
                assertThat(connect(daemon, client))
                        .isEqualTo("Connection Rejected: Authentication failed");
            }
        }
    }
}
