package spread;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import spread.ext.SpreadClient;
import spread.testing.TestNetwork;

/** What a program sees when its daemon is gone. */
class LossTest {

    private static final String HEADER = "Connection closed while reading message header";

    @Test
    void lossIsReportedOnceAndTheObjectConnectsAgain() throws Exception {
        try (TestNetwork network = TestNetwork.start(2)) {
            SpreadConnection connection = Peer.at(network.daemon(0), "lost").connection;
            SpreadGroup group = connection.getPrivateGroup();
            network.kill(0);
            assertThat(connection.isConnected()).isTrue();
            Wait.until("a poll that tells of the loss", connection::poll);
            for (int i = 0; i < 3; i++) {
                assertThatExceptionOfType(SpreadException.class)
                        .isThrownBy(connection::receive)
                        .withMessage(HEADER);
                assertThat(connection.isConnected()).isFalse();
                assertThat(connection.poll()).isFalse();
            }
            assertThat(connection.getPrivateGroup()).isSameAs(group);
            assertThatExceptionOfType(SpreadException.class)
                    .isThrownBy(() -> connection.multicast(Peer.message("room")))
                    .withMessageStartingWith("write(): java.net.SocketException: ");
            TestNetwork.Daemon other = network.daemon(1);
            connection.connect(other.address(), other.port(), "lost", false, true);
            assertThat(connection.getPrivateGroup()).hasToString("#lost#d2");
            connection.disconnect();
        }
    }

    @Test
    void disconnectAfterALossIsFineOnce() throws Exception {
        try (TestNetwork network = TestNetwork.start(1)) {
            SpreadConnection connection = Peer.at(network.daemon(0), "lost").connection;
            network.kill(0);
            assertThatExceptionOfType(SpreadException.class).isThrownBy(connection::receive);
            connection.disconnect();
            assertThat(connection.getPrivateGroup()).isNull();
            assertThatExceptionOfType(SpreadException.class)
                    .isThrownBy(connection::disconnect)
                    .withMessage("Not connected.");
        }
    }

    @Test
    void disconnectBeforeTheLossIsKnownIsFineToo() throws Exception {
        try (TestNetwork network = TestNetwork.start(1)) {
            SpreadConnection connection = Peer.at(network.daemon(0), "lost").connection;
            network.kill(0);
            connection.disconnect();
            assertThat(connection.isConnected()).isFalse();
        }
    }

    @Test
    void sendingFindsTheLoss() throws Exception {
        try (TestNetwork network = TestNetwork.start(1)) {
            SpreadConnection connection = Peer.at(network.daemon(0), "sender").connection;
            network.kill(0);
            assertThatExceptionOfType(SpreadException.class)
                    .isThrownBy(
                            () -> {
                                // The first one may go into a socket that does not know yet.
                                for (int i = 0; i < 1000; i++) {
                                    connection.multicast(Peer.message("room", new byte[10_000]));
                                }
                            })
                    .withMessageStartingWith("write(): java.net.SocketException: Broken pipe");
            assertThat(connection.isConnected()).isFalse();
            connection.disconnect();
        }
    }

    @Test
    void whatHadComeIsDeliveredBeforeTheLoss() throws Exception {
        try (TestNetwork network = TestNetwork.start(1)) {
            Peer peer = Peer.at(network.daemon(0), "late");
            peer.join("late");
            for (byte i = 0; i < 100; i++) {
                peer.send("late", i);
            }
            Wait.until("the first", peer.connection::poll);
            assertThat(peer.next().getData()).containsExactly(0);
            // All of it has come when the last one has.
            Peer other = Peer.at(network.daemon(0), "other");
            other.join("late");
            network.kill(0);
            for (byte i = 1; i < 100; i++) {
                assertThat(peer.connection.poll()).isTrue();
                assertThat(peer.next().getData()).containsExactly(i);
            }
            assertThat(peer.next().isMembership()).isTrue();
            assertThatExceptionOfType(SpreadException.class)
                    .isThrownBy(peer::next)
                    .withMessage(HEADER);
        }
    }

    @Test
    void theTextTellsWhereTheStreamEnded() throws Exception {
        byte[] frame =
                FakeDaemon.frame(ByteOrder.BIG_ENDIAN, 2, "x", 0, new byte[] {1, 2}, "room");
        Object[][] cuts = {
            {0, "header"},
            {47, "header"},
            {48, "group name"},
            {79, "group name"},
            {80, "body"},
            {81, "body"}
        };
        for (Object[] cut : cuts) {
            cutAfter(frame, (int) cut[0], (String) cut[1]);
        }
        byte[] reject = new byte[100];
        ByteBuffer.wrap(reject).putInt(0, 0x400000).putInt(44, 8);
        cutAfter(reject, 50, "reject type");
    }

    private static void cutAfter(byte[] frame, int length, String where) throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            daemon.out.write(frame, 0, length);
            daemon.hangUp();
            assertThatExceptionOfType(SpreadException.class)
                    .as("%d bytes", length)
                    .isThrownBy(client::receive)
                    .withMessage("Connection closed while reading message " + where);
            assertThat(client.isConnected()).isFalse();
        }
    }

    @Test
    void resetIsALossToo() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            daemon.reset();
            assertThatExceptionOfType(SpreadException.class)
                    .isThrownBy(client::receive)
                    .withMessage(HEADER);
        }
    }

    @Test
    void listenersThreadEndsAndServesTheNextConnection() throws Exception {
        try (TestNetwork network = TestNetwork.start(2)) {
            CountDownLatch joined = new CountDownLatch(2);
            SpreadConnection connection = new SpreadConnection();
            connection.add((BasicMessageListener) message -> joined.countDown());
            TestNetwork.Daemon first = network.daemon(0);
            connection.connect(first.address(), first.port(), "listen", false, true);
            new SpreadGroup().join(connection, "room");
            Wait.until("the first membership", () -> joined.getCount() == 1);
            network.kill(0);
            Wait.until("the loss", () -> !connection.isConnected());
            TestNetwork.Daemon second = network.daemon(1);
            connection.connect(second.address(), second.port(), "listen", false, true);
            new SpreadGroup().join(connection, "room");
            joined.await();
            connection.disconnect();
        }
    }

    /** A send finds the loss first; what waits is still the listeners', whatever is in it. */
    @Test
    void failedSendTakesNothingFromTheListeners() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            CountDownLatch inside = new CountDownLatch(1);
            CountDownLatch go = new CountDownLatch(1);
            List<Byte> got = new CopyOnWriteArrayList<>();
            SpreadConnection client = daemon.welcome("me");
            client.add(
                    (BasicMessageListener)
                            message -> {
                                got.add(message.getData()[0]);
                                inside.countDown();
                                try {
                                    go.await();
                                } catch (InterruptedException e) {
                                    throw new AssertionError(e);
                                }
                            });
            ByteOrder big = ByteOrder.BIG_ENDIAN;
            daemon.out.write(FakeDaemon.frame(big, 2, "x", 0, new byte[] {1}, "room"));
            inside.await();
            daemon.out.write(FakeDaemon.frame(big, 0x1100, "x", 0, new byte[3], "room"));
            daemon.out.write(FakeDaemon.frame(big, 2, "x", 0, new byte[] {2}, "room"));
            daemon.hangUp();
            Wait.until(
                    "a send that fails",
                    () -> {
                        try {
                            client.multicast(Peer.message("room", (byte) 0));
                            return false;
                        } catch (SpreadException e) {
                            return true;
                        }
                    });
            go.countDown();
            Wait.until("the other message", () -> got.size() == 2);
            assertThat(got).containsExactly((byte) 1, (byte) 2);
            client.disconnect();
        }
    }

    @Test
    void slowReaderIsNotThrownOut() throws Exception {
        try (TestNetwork network = TestNetwork.start("max_session_messages=100");
                SpreadClient slow = new SpreadClient()) {
            TestNetwork.Daemon daemon = network.daemon(0);
            slow.connect(daemon.address(), daemon.port(), "slow", false, false);
            new SpreadGroup().join(slow, "flood");
            Peer fast = Peer.at(daemon, "fast", false);
            for (int sent = 1; sent <= 5000; sent++) {
                fast.send("flood", (byte) sent);
                if (sent % 50 == 0) {
                    // The program does not receive; that its library does is not for a slow machine
                    // to decide.
                    int all = sent;
                    Wait.until("arrival", () -> slow.statistics().messagesWaiting() == all);
                }
            }
            for (int i = 1; i <= 5000; i++) {
                assertThat(slow.receive().getData()).containsExactly((byte) i);
            }
            fast.close();
        }
    }
}
