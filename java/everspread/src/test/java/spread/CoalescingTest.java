package spread;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import spread.ext.SpreadClient;

/** Messages that are kept back for others to join them. */
class CoalescingTest {

    /** The kernel itself keeps nothing back for longer than a fifth of a second. */
    private static final int ROUNDS = 100;

    /** Much longer than it takes, much shorter than what it would take with the mechanism missing. */
    private static final long ROUNDS_NANOS = 8_000_000_000L;

    private final FakeDaemon daemon = new FakeDaemon();
    private final SpreadClient client = new SpreadClient();

    CoalescingTest() throws Exception {}

    /** On another thread; what it throws is the cause of what {@code get} does. */
    private static CompletableFuture<Void> beside(FakeDaemon.Script work) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread thread =
                new Thread(
                        () -> {
                            try {
                                work.run();
                                done.complete(null);
                            } catch (Throwable e) { // NOPMD: failed assertions, too.
                                done.completeExceptionally(e);
                            }
                        });
        thread.setDaemon(true);
        thread.start();
        return done;
    }

    private void open(int micros) throws Exception {
        CompletableFuture<Void> served =
                beside(
                        () -> {
                            daemon.accept();
                            daemon.handshake();
                        });
        Properties properties = new Properties();
        properties.setProperty(
                SpreadClient.DAEMONS,
                daemon.port() + "@" + InetAddress.getLoopbackAddress().getHostAddress());
        properties.setProperty(SpreadClient.COALESCE, String.valueOf(micros));
        client.connect(properties);
        served.get();
    }

    @AfterEach
    void close() throws Exception {
        client.close();
        daemon.close();
    }

    private static int number(byte[] frame) {
        return ByteBuffer.wrap(frame).getInt(48 + 32);
    }

    private static SpreadMessage numbered(int number, int length) {
        return Peer.message("room", ByteBuffer.allocate(length).putInt(number).array());
    }

    /** Daemon to client. */
    private static byte[] answer() {
        return FakeDaemon.frame(ByteOrder.BIG_ENDIAN, 4, "#a#d", 0, new byte[] {1}, "room");
    }

    @Test
    void messageThatNoneFollowsLeavesInTime() throws Exception {
        open(1000);
        long start = System.nanoTime();
        for (int i = 0; i < ROUNDS; i++) {
            client.multicast(numbered(i, 10));
            assertThat(number(daemon.readFrame())).isEqualTo(i);
        }
        assertThat(System.nanoTime() - start).isLessThan(ROUNDS_NANOS);
    }

    @Test
    void receiveSendsWhatWasKeptBackBeforeItWaits() throws Exception {
        open(100_000);
        CompletableFuture<Void> echo =
                beside(
                        () -> {
                            for (int i = 0; i < ROUNDS; i++) {
                                daemon.readFrame();
                                daemon.out.write(answer());
                            }
                        });
        long start = System.nanoTime();
        for (int i = 0; i < ROUNDS; i++) {
            client.multicast(numbered(i, 10));
            client.receive();
        }
        assertThat(System.nanoTime() - start).isLessThan(ROUNDS_NANOS);
        echo.get();
    }

    @Test
    void allArriveInOrderWhateverIsBetween() throws Exception {
        open(200);
        int count = 3000;
        CompletableFuture<Void> read =
                beside(
                        () -> {
                            for (int i = 0; i < count; i++) {
                                assertThat(number(daemon.readFrame())).isEqualTo(i);
                                if (i % 100 == 99) {
                                    // A join.
                                    assertThat(daemon.readFrame()).hasSize(48 + 32);
                                }
                            }
                        });
        for (int i = 0; i < count; i++) {
            if (i % 10 == 0) {
                client.multicast(
                        new SpreadMessage[] {numbered(i, 4), numbered(++i, 900)});
            } else {
                client.multicast(numbered(i, 4 + i));
            }
            if (i % 100 == 99) {
                new SpreadGroup().join(client, "room");
            }
        }
        read.get();
    }

    @Test
    void receiverDoesNotWaitForASenderThatTheDaemonHoldsUp() throws Exception {
        open(100_000);
        CompletableFuture<Void> sender =
                beside(
                        () -> {
                            while (true) {
                                client.multicast(numbered(0, 100_000));
                            }
                        });
        // From then on the sender waits: nobody reads.
        Wait.until("a sender that waits", () -> client.statistics().sendBlocked().toMillis() > 0);
        daemon.out.write(answer());
        CompletableFuture<Void> receiver =
                beside(() -> assertThat(client.receive().getData()).containsExactly(1));
        receiver.get(20, TimeUnit.SECONDS);
        client.disconnect();
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(sender::get)
                .withCauseInstanceOf(SpreadException.class);
    }

    @Test
    void threadEndsSoonAfterTheLastBurst() throws Exception {
        open(1000);
        client.multicast(numbered(1, 10));
        daemon.readFrame();
        Wait.until(
                "the end of the thread",
                () ->
                        Thread.getAllStackTraces().keySet().stream()
                                .noneMatch(thread -> thread.getName().equals("spread-flusher")));
        client.multicast(numbered(2, 10));
        assertThat(number(daemon.readFrame())).isEqualTo(2);
    }
}
