package spread;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import spread.testing.TestNetwork;
import spread.testing.TestNetworkExtension;

/** Connecting: what is sent, what can go wrong, what is said then. */
class ConnectTest {

    @RegisterExtension
    static final TestNetworkExtension NETWORK = TestNetworkExtension.daemons(2);

    private final SpreadConnection connection = new SpreadConnection();

    private void connect(String name) throws SpreadException {
        TestNetwork.Daemon daemon = NETWORK.network().daemon(0);
        connection.connect(daemon.address(), daemon.port(), name, false, true);
    }

    private String failure(SmallClassesTest.Refused call) {
        try {
            call.run();
        } catch (SpreadException e) {
            assertThat(connection.isConnected()).isFalse();
            assertThat(connection.getPrivateGroup()).isNull();
            return e.getMessage();
        } catch (Exception e) {
            throw new AssertionError("not a SpreadException", e);
        }
        throw new AssertionError("it worked");
    }

    @Test
    void connectedObjectHasOnePrivateGroup() throws Exception {
        connect("alice");
        assertThat(connection.isConnected()).isTrue();
        assertThat(connection.getPrivateGroup()).hasToString("#alice#d1");
        assertThat(connection.getPrivateGroup()).isSameAs(connection.getPrivateGroup());
        connection.setTcpNoDelay(true);
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(() -> connect("other"))
                .withMessage("Already connected.");
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(() -> connection.getPrivateGroup().join(connection, "room"))
                .withMessage("Already joined.");
        connection.disconnect();
        assertThat(connection.isConnected()).isFalse();
        assertThat(connection.getPrivateGroup()).isNull();
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(connection::disconnect)
                .withMessage("Not connected.");
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(connection::receive)
                .withMessage("Not connected.");
    }

    @Test
    void objectConnectsAgainAfterDisconnectAndAfterFailures() throws Exception {
        assertThat(failure(() -> connect("bad name"))).isEqualTo("Connection attempt rejected=-5");
        connect("again");
        connection.disconnect();
        try (Peer other = Peer.at(NETWORK.network().daemon(0), "taken")) {
            assertThat(failure(() -> connect("taken"))).isEqualTo("Connection attempt rejected=-6");
        }
        connect("again");
        connection.disconnect();
    }

    @Test
    void missingNameIsMadeUpAndLongOnesAreCut() throws Exception {
        for (String name : new String[] {null, ""}) {
            connect(name);
            assertThat(connection.getPrivateGroup().toString()).startsWith("#").endsWith("#d1");
            assertThat(connection.getPrivateGroup().toString().length()).isGreaterThan(4);
            connection.disconnect();
        }
        connect("abcdefghijklmnop");
        assertThat(connection.getPrivateGroup()).hasToString("#abcdefghij#d1");
        connection.disconnect();
        connect("~$A~");
        connection.disconnect();
    }

    @Test
    void illegalNamesAreTheDaemonsBusiness() {
        for (String name : new String[] {"a b", "a#b", "\"", "\u00e4", "\u4e2d"}) {
            assertThat(failure(() -> connect(name)))
                    .as(name)
                    .isEqualTo("Connection attempt rejected=-5");
        }
    }

    @Test
    void portsAreCheckedUpTo65535() throws Exception {
        InetAddress loopback = InetAddress.getLoopbackAddress();
        for (int port : new int[] {-1, 65536, Integer.MIN_VALUE}) {
            assertThat(failure(() -> connection.connect(loopback, port, "x", false, true)))
                    .isEqualTo("Bad port (" + port + ").");
        }
        int free;
        try (ServerSocket socket = new ServerSocket(0, 1, loopback)) {
            free = socket.getLocalPort();
        }
        assertThat(failure(() -> connection.connect(loopback, free, "x", false, true)))
                .startsWith("Socket(): java.net.ConnectException: ")
                .contains("Connection refused");
        assertThat(failure(() -> connection.connect(loopback, 65535, "x", false, true)))
                .startsWith("Socket(): ");
    }

    @Test
    void nameBehindAnAddressIsTriedWhereTheAddressDoesNotAnswer() throws Exception {
        TestNetwork.Daemon daemon = NETWORK.network().daemon(0);
        // Nobody listens at 127.0.0.9; the name stands for 127.0.0.1.
        InetAddress stale = InetAddress.getByAddress("localhost", new byte[] {127, 0, 0, 9});
        connection.connect(stale, daemon.port(), "failover", false, true);
        assertThat(connection.getPrivateGroup()).hasToString("#failover#d1");
        connection.disconnect();
        InetAddress literal = InetAddress.getByName("127.0.0.9");
        assertThat(failure(() -> connection.connect(literal, daemon.port(), "x", false, true)))
                .startsWith("Socket(): ");
    }

    @Test
    void noAddressMeansThisMachine() throws Exception {
        assertThat(Opener.list(null, 4803))
                .startsWith("4803@")
                .endsWith(",4803@" + InetAddress.getLoopbackAddress().getHostAddress());
        connection.connect(null, NETWORK.network().daemon(0).port(), "local", false, true);
        connection.disconnect();
    }

    @Test
    void listsOfDaemonsHoldNothingTheyShouldNot() throws Exception {
        byte[] place = {10, 0, 0, 1};
        assertThat(Opener.list(InetAddress.getByAddress(place), 1)).isEqualTo("1@10.0.0.1");
        assertThat(Opener.list(InetAddress.getByAddress("host.example", place), 1))
                .isEqualTo("1@10.0.0.1,1@host.example");
        assertThat(Opener.list(InetAddress.getByAddress("a,2@evil", place), 1))
                .isEqualTo("1@10.0.0.1");
        assertThat(Opener.list(InetAddress.getByName("::1"), 1)).isEqualTo("1@[0:0:0:0:0:0:0:1]");
    }

    @Test
    void requestAndMethodsAreAsTheClassicClientSendsThem() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("abcdefghijkl");
            assertThat(daemon.request).startsWith(5, 0, 1, 1, 10);
            assertThat(new String(daemon.request, 5, 10, StandardCharsets.ISO_8859_1))
                    .isEqualTo("abcdefghij");
            byte[] methods = new byte[90];
            System.arraycopy("NULL".getBytes(StandardCharsets.US_ASCII), 0, methods, 0, 4);
            assertThat(daemon.methods).isEqualTo(methods);
            assertThat(client.getPrivateGroup()).hasToString("#me#fake");
            client.disconnect();
            byte[] bye = daemon.readFrame();
            assertThat(bye).hasSize(80);
            assertThat(new String(bye, 48, 8, StandardCharsets.ISO_8859_1)).isEqualTo("#me#fake");
            assertThat(daemon.in.read()).isEqualTo(-1);
        }
    }

    /** What a connect says when a daemon behaves so. */
    private String failureOn(Part... parts) throws Exception {
        return failureOn(false, parts);
    }

    private String failureOn(boolean priority, Part... parts) throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            return failure(
                    () ->
                            daemon.meet(
                                    connection,
                                    "x",
                                    priority,
                                    () -> {
                                        for (Part part : parts) {
                                            part.play(daemon);
                                        }
                                        daemon.hangUp();
                                    }));
        }
    }

    /** Part of a handshake. */
    private interface Part {
        void play(FakeDaemon daemon) throws IOException;
    }

    private static final Part LISTEN = FakeDaemon::readRequest;

    private static final Part OFFER =
            daemon -> {
                daemon.offer("NULL ");
                daemon.readMethods();
            };

    private static Part write(int... bytes) {
        return daemon -> {
            for (int value : bytes) {
                daemon.out.write(value);
            }
        };
    }

    private static Part answer(int code, int major, int minor, int patch) {
        return daemon -> daemon.answer(code, major, minor, patch, "#x#d");
    }

    @Test
    void refusalsAreTheDaemonsNumberAsANegativeOne() throws Exception {
        for (int code : new int[] {0x80, 0xfb, 0xff}) {
            assertThat(failureOn(LISTEN, write(code)))
                    .isEqualTo("Connection attempt rejected=" + (code - 256));
        }
        for (int code : new int[] {0, 2, 0x7f, 0xfa}) {
            assertThat(failureOn(LISTEN, OFFER, answer(code, 5, 0, 1)))
                    .isEqualTo("Connection attempt rejected=" + (code - 256));
        }
    }

    @Test
    void oldDaemonsAreRefused() throws Exception {
        for (int[] old : new int[][] {{2, 9, 5}, {3, 0, 5}, {0, 0, 0}}) {
            assertThat(failureOn(LISTEN, OFFER, answer(1, old[0], old[1], old[2])))
                    .isEqualTo(
                            "Old version "
                                    + (old[0] + "." + old[1] + "." + old[2])
                                    + " not supported");
        }
        assertThat(failureOn(true, LISTEN, OFFER, answer(1, 3, 7, 12)))
                .isEqualTo("Old version 3.7.12 does not support priority");
        assertThat(failureOn(true, LISTEN, OFFER, answer(1, 3, 0, 1)))
                .isEqualTo("Old version 3.0.1 not supported");
    }

    @Test
    void daemonsThatAreOldEnoughAreTaken() throws Exception {
        int[][] versions = {{3, 1, 0}, {3, 7, 9}, {4, 4, 0}, {5, 0, 1}, {127, 0, 0}};
        for (int[] version : versions) {
            boolean priority = version[0] > 3;
            try (FakeDaemon daemon = new FakeDaemon()) {
                daemon.meet(
                        connection,
                        "x",
                        priority,
                        () -> {
                            LISTEN.play(daemon);
                            OFFER.play(daemon);
                            answer(1, version[0], version[1], version[2]).play(daemon);
                        });
                assertThat(daemon.request[3]).isEqualTo((byte) (priority ? 0x11 : 0x01));
                connection.disconnect();
            }
        }
    }

    @Test
    void daemonThatHangsUpIsAClosedConnection() throws Exception {
        Part[][] scripts = {
            {},
            {LISTEN},
            {LISTEN, OFFER},
            {LISTEN, OFFER, write(1, 5, 0)},
            {LISTEN, OFFER, write(1, 5, 0, 1, 9, '#')}
        };
        for (Part[] script : scripts) {
            assertThat(failureOn(script))
                    .as("after %d parts", script.length)
                    .startsWith("Connection closed");
        }
    }

    @Test
    void soIsOneThatResets() throws Exception {
        // Before it has heard anything, the reset may come in time for the connect call itself.
        for (Part[] script : new Part[][] {{LISTEN}, {LISTEN, OFFER}}) {
            List<Part> parts = new ArrayList<>(Arrays.asList(script));
            parts.add(FakeDaemon::reset);
            assertThat(failureOn(parts.toArray(new Part[0]))).startsWith("Connection closed");
        }
    }

    @Test
    void failedConnectsLeaveNoDescriptorsBehind() throws Exception {
        failure(() -> connect("a b"));
        int before = descriptors();
        for (int i = 0; i < 50; i++) {
            failure(() -> connect("a b"));
        }
        // Others of this JVM may come and go.
        assertThat(descriptors()).isLessThan(before + 10);
    }

    static int descriptors() {
        return new File("/proc/self/fd").list().length;
    }

    @Test
    void authenticationIsChosenBeforeConnecting() throws Exception {
        connect("authtest");
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(() -> connection.registerAuthentication("NULL", "x"))
                .withMessage("Already connected.");
        connection.disconnect();
    }
}
