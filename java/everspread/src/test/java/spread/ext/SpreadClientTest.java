package spread.ext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import spread.BasicMessageListener;
import spread.SpreadConnection;
import spread.SpreadException;
import spread.SpreadGroup;
import spread.SpreadMessage;
import spread.testing.TestNetwork;

/** What the client can do beyond the classic interface. */
class SpreadClientTest {

    private static Properties to(TestNetwork network, String name) {
        StringBuilder daemons = new StringBuilder();
        for (TestNetwork.Daemon daemon : network.daemons()) {
            daemons.append(daemons.length() == 0 ? "" : ",").append(daemon.spreadName());
        }
        Properties properties = new Properties();
        properties.setProperty(SpreadClient.DAEMONS, daemons.toString());
        properties.setProperty(SpreadClient.PRIVATE_NAME, name);
        properties.setProperty("unrelated", "anything");
        return properties;
    }

    private static SpreadMessage message(String group, int number) {
        SpreadMessage message = new SpreadMessage();
        message.setAgreed();
        message.addGroup(group);
        message.setData(new byte[] {(byte) number});
        return message;
    }

    @Test
    void connectsByAListAndClosesItself() throws Exception {
        try (TestNetwork network = TestNetwork.start(2)) {
            network.kill(0);
            SpreadClient left;
            try (SpreadClient client = SpreadClient.open(to(network, "list"))) {
                left = client;
                assertThat(client.getPrivateGroup()).hasToString("#list#d2");
                assertThat(client.daemon())
                        .isEqualTo("127.0.0.2:" + network.daemon(1).port());
                assertThatExceptionOfType(SpreadException.class)
                        .isThrownBy(() -> client.connect("4803@localhost", null))
                        .withMessage("Already connected.");
            }
            assertThat(left.isConnected()).isFalse();
            left.close();
            left.connect(network.daemon(1).spreadName(), null);
            assertThat(left.getPrivateGroup().toString()).endsWith("#d2");
            left.close();
            assertThat(left.daemon()).isNull();
        }
    }

    @Test
    void propertiesThatCannotBeAreNamed() throws Exception {
        try (TestNetwork network = TestNetwork.start(1)) {
            String[][] wrong = {
                {"spread.client.nosuch", "1", "nosuch"},
                {"spread.client.failover", "perhaps", "perhaps"},
                {"spread.client.connect_timeout_ms", "soon", "soon"}
            };
            for (String[] pair : wrong) {
                Properties properties = to(network, "wrong");
                properties.setProperty(pair[0], pair[1]);
                assertThatExceptionOfType(SpreadException.class)
                        .isThrownBy(() -> SpreadClient.open(properties))
                        .withMessageStartingWith("Bad option: ")
                        .withMessageContaining(pair[2]);
            }
        }
    }

    @Test
    void connectGivesUpWhenItsTimeIsOver() throws Exception {
        try (TestNetwork network = TestNetwork.start(1)) {
            network.command("ignore 0 1");
            Properties properties = to(network, "late");
            properties.setProperty(SpreadClient.CONNECT_TIMEOUT, "100");
            assertThatExceptionOfType(SpreadException.class)
                    .isThrownBy(() -> SpreadClient.open(properties))
                    .withMessage("Connection closed during connect attempt");
        }
    }

    @Test
    void withoutMembershipsThereAreNone() throws Exception {
        try (TestNetwork network = TestNetwork.start(1)) {
            Properties properties = to(network, "blind");
            properties.setProperty(SpreadClient.MEMBERSHIP, "false");
            try (SpreadClient client = SpreadClient.open(properties)) {
                new SpreadGroup().join(client, "room");
                client.multicast(message("room", 1));
                assertThat(client.receive(Duration.ofSeconds(20)).isRegular()).isTrue();
            }
        }
    }

    @Test
    void receiveWaitsNoLongerThanItsTime() throws Exception {
        try (TestNetwork network = TestNetwork.start(1);
                SpreadClient client = SpreadClient.open(to(network, "timed"))) {
            assertThat(client.receive(Duration.ZERO)).isNull();
            assertThat(client.receive(Duration.ofSeconds(-1))).isNull();
            long before = System.nanoTime();
            assertThat(client.receive(Duration.ofMillis(50))).isNull();
            assertThat(System.nanoTime() - before).isBetween(50_000_000L, 10_000_000_000L);
            new SpreadGroup().join(client, "room");
            client.multicast(message("room", 7));
            assertThat(client.receive(Duration.ofDays(400_000_000_000L)).isMembership()).isTrue();
            SpreadMessage data;
            do {
                data = client.receive(Duration.ZERO);
            } while (data == null);
            assertThat(data.getData()).containsExactly(7);
            client.add((BasicMessageListener) message -> {});
            assertThatExceptionOfType(SpreadException.class)
                    .isThrownBy(() -> client.receive(Duration.ZERO))
                    .withMessage("Tried to receive while there are listeners");
        }
    }

    @Test
    void interruptEndsATimedReceiveAndLosesNothing() throws Exception {
        try (TestNetwork network = TestNetwork.start(1);
                SpreadClient client = SpreadClient.open(to(network, "interrupt"))) {
            new SpreadGroup().join(client, "room");
            client.receive();
            for (int round = 0; round < 50; round++) {
                CompletableFuture<Object> got = new CompletableFuture<>();
                Thread receiver =
                        new Thread(
                                () -> {
                                    try {
                                        got.complete(client.receive(Duration.ofSeconds(30)));
                                    } catch (InterruptedIOException e) {
                                        got.complete(Thread.currentThread().isInterrupted());
                                    } catch (Throwable e) {
                                        got.completeExceptionally(e);
                                    }
                                });
                receiver.start();
                if (round % 2 == 0) {
                    Thread.yield();
                }
                receiver.interrupt();
                assertThat(got.get()).isEqualTo(false);
                client.multicast(message("room", round));
                assertThat(client.receive().getData()).containsExactly((byte) round);
            }
            Thread.currentThread().interrupt();
            assertThatExceptionOfType(InterruptedIOException.class)
                    .isThrownBy(() -> client.receive(Duration.ofSeconds(1)));
            assertThat(Thread.interrupted()).isFalse();
        }
    }

    @Test
    void disconnectWakesATimedReceive() throws Exception {
        try (TestNetwork network = TestNetwork.start(1)) {
            SpreadClient client = SpreadClient.open(to(network, "woken"));
            CompletableFuture<String> got = new CompletableFuture<>();
            Thread receiver =
                    new Thread(
                            () -> {
                                try {
                                    client.receive(Duration.ofDays(1));
                                    got.complete("a message");
                                } catch (Exception e) {
                                    got.complete(e.getMessage());
                                }
                            });
            receiver.start();
            client.close();
            assertThat(got.get()).matches(".*Socket closed|Not connected\\.");
        }
    }

    /** Writes down what it is told. */
    private static final class Recorder implements ConnectionListener {
        final BlockingQueue<String> lines = new LinkedBlockingQueue<>();

        @Override
        public void lost(String daemon) {
            lines.add("lost");
            throw new IllegalStateException("on purpose: harms nobody");
        }

        @Override
        public void reconnected(Reconnection how) {
            lines.add(how.oldPrivateGroup() + " " + how.privateGroup() + " " + how.groups());
        }

        @Override
        public void closed(String reason) {
            lines.add("closed " + reason);
        }

        String next() throws InterruptedException {
            return lines.poll(20, TimeUnit.SECONDS);
        }
    }

    @Test
    void listenerIsToldOfTheEnd() throws Exception {
        Thread.UncaughtExceptionHandler before = Thread.getDefaultUncaughtExceptionHandler();
        Thread.setDefaultUncaughtExceptionHandler((thread, error) -> {});
        try (TestNetwork network = TestNetwork.start(2);
                SpreadClient client = new SpreadClient()) {
            Recorder recorder = new Recorder();
            client.addConnectionListener(recorder);
            for (int daemon = 0; daemon < 2; daemon++) {
                client.connect(
                        network.daemon(daemon).address(),
                        network.daemon(daemon).port(),
                        "end",
                        false,
                        true);
                network.kill(daemon);
                assertThat(recorder.next()).isEqualTo("lost");
                assertThat(recorder.next()).isEqualTo("closed the daemon is gone");
                assertThatExceptionOfType(SpreadException.class).isThrownBy(client::receive);
            }
        } finally {
            Thread.setDefaultUncaughtExceptionHandler(before);
        }
    }

    @Test
    void connectionIsRestoredOnAnotherDaemon() throws Exception {
        Thread.UncaughtExceptionHandler before = Thread.getDefaultUncaughtExceptionHandler();
        Thread.setDefaultUncaughtExceptionHandler((thread, error) -> {});
        try (TestNetwork network = TestNetwork.start(2)) {
            Properties properties = to(network, "again");
            properties.setProperty("spread.client.failover", "auto");
            try (SpreadClient client = SpreadClient.open(properties);
                    SpreadClient other = new SpreadClient()) {
                Recorder recorder = new Recorder();
                client.addConnectionListener(recorder);
                new SpreadGroup().join(client, "room");
                assertThat(client.receive().getMembershipInfo().getJoined())
                        .hasToString("#again#d1");
                network.kill(0);
                assertThat(recorder.next()).isEqualTo("lost");
                assertThat(recorder.next()).isEqualTo("#again#d1 #again#d2 1");
                assertThat(client.isConnected()).isTrue();
                SpreadMessage message = client.receive();
                assertThat(message.getMembershipInfo().isTransition()).isTrue();
                message = client.receive();
                assertThat(message.getMembershipInfo().isRegularMembership()).isTrue();
                assertThat(message.getGroups()[message.getType()]).hasToString("#again#d2");
                assertThat(client.getPrivateGroup()).hasToString("#again#d2");
                client.multicast(message("room", 5));
                do {
                    message = client.receive();
                } while (!message.isRegular());
                assertThat(message.getData()).containsExactly(5);
                assertThat(message.getSender()).isEqualTo(client.getPrivateGroup());
                assertThat(message.getEndianMismatch()).isFalse();
            }
        } finally {
            Thread.setDefaultUncaughtExceptionHandler(before);
        }
    }

    @Test
    void systemPropertiesHoldForProgramsThatKnowTheClassicInterfaceOnly() throws Exception {
        try (TestNetwork network = TestNetwork.start(2)) {
            System.setProperty(SpreadClient.DAEMONS, network.daemon(1).spreadName());
            System.setProperty("spread.client.failover", "auto");
            try {
                SpreadConnection connection = new SpreadConnection();
                connection.connect(InetAddress.getLoopbackAddress(), 1, "classic", false, true);
                assertThat(connection.getPrivateGroup()).hasToString("#classic#d2");
                network.kill(1);
                network.restart(1);
                new SpreadGroup().join(connection, "room");
                assertThat(connection.receive().isMembership()).isTrue();
                connection.disconnect();
                System.setProperty("spread.client.failover", "nonsense");
                assertThatExceptionOfType(SpreadException.class)
                        .isThrownBy(
                                () ->
                                        connection.connect(
                                                InetAddress.getLoopbackAddress(),
                                                1,
                                                "x",
                                                false,
                                                true))
                        .withMessageContaining("nonsense");
            } finally {
                System.clearProperty(SpreadClient.DAEMONS);
                System.clearProperty("spread.client.failover");
            }
        }
    }

    @Test
    void statisticsCount() throws Exception {
        try (TestNetwork network = TestNetwork.start(1);
                SpreadClient client = SpreadClient.open(to(network, "count"))) {
            new SpreadGroup().join(client, "room");
            client.receive();
            long before = client.statistics().bytesReceived();
            client.multicast(message("room", 1));
            client.multicast(message("room", 2));
            client.receive();
            Statistics statistics = client.statistics();
            assertThat(statistics.messagesSent()).isEqualTo(2);
            assertThat(statistics.bytesSent()).isEqualTo(2);
            assertThat(statistics.messagesReceived()).isEqualTo(2);
            assertThat(statistics.bytesReceived()).isEqualTo(before + 1);
            long end = System.nanoTime() + 20_000_000_000L;
            while (client.statistics().bytesWaiting() == 0 && System.nanoTime() < end) {
                Thread.yield();
            }
            assertThat(client.statistics().bytesWaiting()).isEqualTo(48 + 32 + 1);
            client.receive();
            assertThat(client.statistics().bytesWaiting()).isZero();
            client.close();
            assertThatExceptionOfType(SpreadException.class).isThrownBy(client::statistics);
        }
    }
}
