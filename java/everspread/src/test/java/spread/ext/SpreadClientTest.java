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
        final java.util.concurrent.atomic.AtomicLong dropped =
                new java.util.concurrent.atomic.AtomicLong();

        @Override
        public void lost(String daemon) {
            lines.add("lost");
            throw new IllegalStateException("on purpose: harms nobody");
        }

        @Override
        public void reconnected(Reconnection how) {
            lines.add(
                    String.join(
                            " ",
                            how.oldPrivateGroup(),
                            how.privateGroup(),
                            how.groups() + " after " + how.outages(),
                            how.attempts() > 0 && !how.gap().isNegative() ? "ok" : how.toString()));
        }

        @Override
        public void slow(long messages, long bytes) {
            lines.add("slow");
        }

        @Override
        public void caughtUp(long messages, long bytes) {
            lines.add("caught up");
        }

        @Override
        public void blocked(String reason) {
            lines.add("blocked " + reason);
        }

        @Override
        public void dropped(long messages, long bytes) {
            dropped.addAndGet(messages);
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
                assertThat(recorder.next()).isEqualTo("#again#d1 #again#d2 1 after 1 ok");
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
    void messagesThatGoTogetherArriveInOrderAndInTime() throws Exception {
        try (TestNetwork network = TestNetwork.start(1)) {
            Properties properties = to(network, "together");
            properties.setProperty(SpreadClient.COALESCE, "2000");
            try (SpreadClient sender = SpreadClient.open(properties);
                    SpreadClient receiver = SpreadClient.open(to(network, "receiver"))) {
                new SpreadGroup().join(receiver, "room");
                receiver.receive();
                for (int round = 0; round < 50; round++) {
                    // Bursts of all lengths; nobody but the thread pushes their ends.
                    for (int i = 0; i <= round; i++) {
                        sender.multicast(message("room", i));
                    }
                    if (round % 10 == 0) {
                        sender.multicast(new SpreadMessage[] {message("room", round + 1)});
                    }
                    for (int i = 0; i <= round + (round % 10 == 0 ? 1 : 0); i++) {
                        SpreadMessage got = receiver.receive(Duration.ofMillis(10_000));
                        assertThat(got.getData()).containsExactly((byte) i);
                    }
                }
                new SpreadGroup().join(sender, "own");
                sender.receive();
                for (int i = 0; i < 200; i++) {
                    // The kernel's own limit of 200 ms would make this take long.
                    sender.multicast(message("own", i));
                    assertThat(sender.receive().getData()).containsExactly((byte) i);
                }
                sender.multicast(message("room", 77));
            }
            for (String wrong : new String[] {"-1", "100001", "some"}) {
                properties.setProperty(SpreadClient.COALESCE, wrong);
                assertThatExceptionOfType(SpreadException.class)
                        .isThrownBy(() -> SpreadClient.open(properties))
                        .withMessage(
                                "Bad option: spread.client.coalesce_us cannot be \"" + wrong + "\"");
            }
        }
    }

    private static final int MANY = 3000;

    /** Floods a client that has not begun to receive, with a body of 1000 bytes each. */
    private static SpreadClient flooded(TestNetwork network, String policy, Recorder recorder)
            throws Exception {
        Properties properties = to(network, "slow");
        properties.setProperty("spread.client.recv_max_bytes", "64K");
        properties.setProperty("spread.client.recv_policy", policy);
        SpreadClient slow = SpreadClient.open(properties);
        slow.addConnectionListener(recorder);
        new SpreadGroup().join(slow, "flood");
        slow.receive();
        try (SpreadClient sender = SpreadClient.open(to(network, "sender"))) {
            SpreadMessage[] messages = new SpreadMessage[20];
            for (int i = 0; i < MANY; i += messages.length) {
                for (int k = 0; k < messages.length; k++) {
                    messages[k] = message("flood", 0);
                    messages[k].setType((short) (i + k));
                    messages[k].setData(new byte[1000]);
                }
                sender.multicast(messages);
            }
            // When its own message has come, the daemon has all of them.
            new SpreadGroup().join(sender, "end");
            sender.receive();
        }
        return slow;
    }

    @Test
    void whatDoesNotFitWaitsOnDisk() throws Exception {
        try (TestNetwork network = TestNetwork.start(1);
                SpreadClient slow = flooded(network, "spill", new Recorder())) {
            for (int i = 0; i < MANY; i++) {
                if (i % 7 == 0) {
                    // Brings in what is on disk, in its order.
                    slow.poll();
                }
                assertThat(slow.receive().getType()).isEqualTo((short) i);
            }
        }
    }

    @Test
    void listenerIsToldThatNothingMoreIsRead() throws Exception {
        try (TestNetwork network = TestNetwork.start(1);
                SpreadClient sender = SpreadClient.open(to(network, "sender"))) {
            Properties properties = to(network, "full");
            properties.setProperty("spread.client.recv_max_bytes", "64K");
            try (SpreadClient full = SpreadClient.open(properties)) {
                Recorder recorder = new Recorder();
                full.addConnectionListener(recorder);
                new SpreadGroup().join(full, "flood");
                full.receive();
                SpreadMessage big = message("flood", 0);
                big.setData(new byte[100_000]);
                sender.multicast(new SpreadMessage[] {big, big, big});
                assertThat(recorder.next()).isEqualTo("slow");
                assertThat(recorder.next()).isEqualTo("blocked recv_max_bytes is reached");
                full.receive(3);
                assertThat(recorder.next()).isEqualTo("caught up");
            }
        }
    }

    @Test
    void whatIsDroppedIsCounted() throws Exception {
        Recorder recorder = new Recorder();
        try (TestNetwork network = TestNetwork.start(1);
                SpreadClient slow = flooded(network, "drop_oldest", recorder)) {
            int received = 0;
            SpreadMessage last = null;
            SpreadMessage next;
            while (last == null || last.getType() != MANY - 1) {
                next = slow.receive(Duration.ofSeconds(20));
                assertThat(last == null || next.getType() > last.getType()).isTrue();
                last = next;
                received++;
            }
            assertThat(received).isLessThan(MANY);
            long end = System.nanoTime() + 20_000_000_000L;
            while (recorder.dropped.get() + received < MANY && System.nanoTime() < end) {
                Thread.yield();
            }
            assertThat(recorder.dropped.get() + received).isEqualTo(MANY);
            assertThat(recorder.lines).contains("slow");
        }
    }
}
