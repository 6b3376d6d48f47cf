package spread;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import spread.testing.TestNetwork;
import spread.testing.TestNetworkExtension;

/** Listeners: order, changes from inside and outside, failures, the way back to receive. */
class ListenerTest {

    @RegisterExtension
    static final TestNetworkExtension NETWORK = TestNetworkExtension.daemons(1);

    /** Of each test another one: a listener's thread may still be ending the connection of the last. */
    private static int last;

    private final String name = "listen" + ++last;
    private final SpreadConnection connection = new SpreadConnection();
    private final BlockingQueue<String> seen = new LinkedBlockingQueue<>();

    @BeforeEach
    void connect() throws Exception {
        TestNetwork.Daemon daemon = NETWORK.network().daemon(0);
        connection.connect(daemon.address(), daemon.port(), name, false, false);
        new SpreadGroup().join(connection, "room");
    }

    @AfterEach
    void disconnect() throws Exception {
        if (connection.isConnected()) {
            connection.disconnect();
        }
    }

    private void send(int number) throws SpreadException {
        connection.multicast(Peer.message("room", (byte) number));
    }

    private BasicMessageListener recorder(String name) {
        return message -> seen.add(name + message.getData()[0]);
    }

    private void expect(String... texts) throws InterruptedException {
        for (String text : texts) {
            assertThat(seen.poll(20, TimeUnit.SECONDS)).isEqualTo(text);
        }
    }

    @Test
    void basicOnesComeBeforeAdvancedOnesInTheOrderOfRegistration() throws Exception {
        List<SpreadMessage> objects = Collections.synchronizedList(new ArrayList<>());
        AdvancedMessageListener advanced =
                new AdvancedMessageListener() {
                    @Override
                    public void regularMessageReceived(SpreadMessage message) {
                        objects.add(message);
                        seen.add("advanced" + message.getData()[0]);
                    }

                    @Override
                    public void membershipMessageReceived(SpreadMessage message) {
                        seen.add("wrong");
                    }
                };
        BasicMessageListener first = recorder("first");
        connection.add(advanced);
        connection.add(first);
        connection.add(
                (BasicMessageListener)
                        message -> {
                            objects.add(message);
                            seen.add("second" + message.getData()[0]);
                        });
        connection.add(first);
        send(1);
        expect("first1", "second1", "first1", "advanced1");
        assertThat(objects.get(0)).isSameAs(objects.get(1));
        connection.remove(first);
        send(2);
        expect("second2", "first2", "advanced2");
    }

    @Test
    void allButDataIsMembershipForAdvancedListeners() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = new SpreadConnection();
            client.add(
                    new AdvancedMessageListener() {
                        @Override
                        public void regularMessageReceived(SpreadMessage message) {
                            seen.add("data");
                        }

                        @Override
                        public void membershipMessageReceived(SpreadMessage message) {
                            seen.add("other " + (message.getMembershipInfo() != null));
                        }
                    });
            daemon.meet(client, "me", daemon::handshake);
            ByteOrder big = ByteOrder.BIG_ENDIAN;
            daemon.out.write(FakeDaemon.frame(big, 0x2000, "x", 0, new byte[12]));
            daemon.out.write(FakeDaemon.frame(big, 0, "x", 0, new byte[0]));
            daemon.out.write(FakeDaemon.frame(big, 2, "x", 0, new byte[0]));
            daemon.out.write(FakeDaemon.frame(big, 0x400002, "x", 0, new byte[0]));
            expect("other true", "other false", "data", "other false");
            // A broken message does not end it.
            daemon.out.write(FakeDaemon.frame(big, 0x1100, "x", 0, new byte[3]));
            daemon.out.write(FakeDaemon.frame(big, 2, "x", 0, new byte[0]));
            expect("data");
            client.disconnect();
        }
    }

    @Test
    void waitingMessagesGoToANewListener() throws Exception {
        send(1);
        send(2);
        Wait.until("a message", connection::poll);
        connection.add(recorder("late"));
        expect("late1", "late2");
    }

    @Test
    void threadIsADaemonOfItsOwn() throws Exception {
        BlockingQueue<Thread> threads = new LinkedBlockingQueue<>();
        connection.add((BasicMessageListener) message -> threads.add(Thread.currentThread()));
        send(1);
        Thread thread = threads.poll(20, TimeUnit.SECONDS);
        assertThat(thread.isDaemon()).isTrue();
        connection.disconnect();
        thread.join();
    }

    @Test
    void changesFromInsideTakeEffectAfterTheMessage() throws Exception {
        BasicMessageListener other = recorder("other");
        connection.add(
                new BasicMessageListener() {
                    @Override
                    public void messageReceived(SpreadMessage message) {
                        seen.add("self" + message.getData()[0]);
                        connection.add(recorder("added"));
                        connection.remove(other);
                        connection.remove(this);
                    }
                });
        connection.add(other);
        send(1);
        send(2);
        expect("self1", "other1", "added2");
    }

    @Test
    void callsFromInsideWorkOrSayWhyNot() throws Exception {
        connection.add(
                (BasicMessageListener)
                        message -> {
                            try {
                                if (message.getData()[0] == 1) {
                                    connection.poll();
                                    SpreadGroup inside = new SpreadGroup();
                                    inside.join(connection, "inside");
                                    inside.leave();
                                    inside.join(connection, "inside");
                                    seen.add(connection.getPrivateGroup().toString());
                                    try {
                                        connection.connect(null, 0, "x", false, true);
                                    } catch (SpreadException e) {
                                        seen.add(e.getMessage());
                                    }
                                    connection.multicast(Peer.message("inside", (byte) 2));
                                    seen.add(String.valueOf(connection.isConnected()));
                                    connection.receive();
                                }
                            } catch (Exception e) {
                                seen.add(e.getMessage());
                            }
                            seen.add("got" + message.getData()[0]);
                        });
        send(1);
        expect("#" + name + "#d1", "Already connected.");
        expect("true", "Tried to receive while there are listeners", "got1", "got2");
    }

    @Test
    void disconnectFromInsideWaitsForTheOtherListenersAndDropsWhatIsRecordedAfterIt()
            throws Exception {
        connection.add(
                (BasicMessageListener)
                        message -> {
                            try {
                                connection.disconnect();
                                connection.add(recorder("never"));
                                seen.add("connected " + connection.isConnected());
                            } catch (SpreadException e) {
                                seen.add(e.getMessage());
                            }
                        });
        connection.add(recorder("other"));
        send(1);
        expect("connected true", "other1");
        Wait.until("the disconnect", () -> !connection.isConnected());
        assertThat(connection.basicListeners).hasSize(2);
        assertThat(seen).isEmpty();
    }

    @Test
    void listenerThatThrowsHarmsNobody() throws Exception {
        BlockingQueue<Throwable> uncaught = new LinkedBlockingQueue<>();
        Thread.UncaughtExceptionHandler before = Thread.getDefaultUncaughtExceptionHandler();
        Thread.setDefaultUncaughtExceptionHandler((thread, error) -> uncaught.add(error));
        try {
            connection.add(
                    (BasicMessageListener)
                            message -> {
                                if (message.getData()[0] == 1) {
                                    throw new IllegalStateException("on purpose");
                                }
                                throw new AssertionError("an error, too");
                            });
            connection.add(recorder("other"));
            send(1);
            send(2);
            expect("other1", "other2");
            assertThat(uncaught.poll(20, TimeUnit.SECONDS)).hasMessage("on purpose");
            assertThat(uncaught.poll(20, TimeUnit.SECONDS)).isInstanceOf(AssertionError.class);
            connection.disconnect();
            assertThat(connection.isConnected()).isFalse();
        } finally {
            Thread.setDefaultUncaughtExceptionHandler(before);
        }
    }

    @Test
    void disconnectWithAnIdleListenerIsImmediate() throws Exception {
        connection.add(recorder("idle"));
        long before = System.nanoTime();
        connection.disconnect();
        assertThat(System.nanoTime() - before).isLessThan(2_000_000_000L);
        assertThat(connection.isConnected()).isFalse();
    }

    @Test
    void disconnectDuringACallbackDoesNotWaitForIt() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        connection.add(
                (BasicMessageListener)
                        message -> {
                            inside.countDown();
                            try {
                                go.await();
                            } catch (InterruptedException e) {
                                throw new AssertionError(e);
                            }
                            seen.add("done");
                        });
        send(1);
        inside.await();
        connection.disconnect();
        assertThat(connection.isConnected()).isFalse();
        go.countDown();
        expect("done");
    }

    @Test
    void changesDuringACallbackReturnAtOnce() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        connection.add(
                (BasicMessageListener)
                        message -> {
                            inside.countDown();
                            try {
                                go.await();
                            } catch (InterruptedException e) {
                                throw new AssertionError(e);
                            }
                        });
        BasicMessageListener other = recorder("other");
        connection.add(other);
        send(1);
        inside.await();
        connection.add(recorder("added"));
        connection.remove(other);
        send(2);
        go.countDown();
        expect("other1", "added2");
    }

    @Test
    void receiveWorksAgainWhenTheLastListenerIsGoneAndNothingIsLost() throws Exception {
        for (int round = 0; round < 200; round++) {
            BasicMessageListener listener = recorder("l");
            connection.add(listener);
            assertThatExceptionOfType(SpreadException.class)
                    .isThrownBy(connection::receive)
                    .withMessage("Tried to receive while there are listeners");
            send(1);
            send(2);
            send(3);
            if (round % 2 == 0) {
                expect("l1");
            }
            connection.remove(listener);
            List<String> got = new ArrayList<>();
            send(4);
            String last;
            do {
                last = "l" + connection.receive().getData()[0];
                got.add(last);
            } while (!last.equals("l4"));
            List<String> all = new ArrayList<>();
            if (round % 2 == 0) {
                all.add("l1");
            }
            // What the listener has had meanwhile may still be on its way into the queue.
            while (all.size() + got.size() + seen.size() < 4) {
                Thread.yield();
            }
            seen.drainTo(all);
            all.addAll(got);
            assertThat(all).as("round %d", round).containsExactlyInAnyOrder("l1", "l2", "l3", "l4");
        }
    }

    @Test
    void removalInTheMiddleOfAMessageLosesNothing() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            byte[] frame =
                    FakeDaemon.frame(ByteOrder.BIG_ENDIAN, 2, "x", 0, new byte[] {7}, "room");
            BasicMessageListener listener = recorder("l");
            client.add(listener);
            daemon.out.write(frame, 0, 20);
            client.remove(listener);
            daemon.out.write(frame, 20, frame.length - 20);
            assertThat(client.receive().getData()).containsExactly(7);
            client.disconnect();
        }
    }

    @Test
    void lastListenerMayRemoveItselfAndComeBack() throws Exception {
        BlockingQueue<Thread> threads = new LinkedBlockingQueue<>();
        BasicMessageListener once =
                new BasicMessageListener() {
                    @Override
                    public void messageReceived(SpreadMessage message) {
                        threads.add(Thread.currentThread());
                        connection.remove(this);
                    }
                };
        connection.add(once);
        send(1);
        Thread first = threads.poll(20, TimeUnit.SECONDS);
        first.join();
        send(2);
        assertThat(connection.receive().getData()).containsExactly(2);
        connection.add(once);
        send(3);
        assertThat(threads.poll(20, TimeUnit.SECONDS)).isNotSameAs(first);
    }

    @Test
    void nothingIsPrinted() throws Exception {
        PrintStream before = System.out;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setOut(new PrintStream(printed, true));
        try (FakeDaemon daemon = new FakeDaemon()) {
            BasicMessageListener listener = recorder("l");
            connection.add(listener);
            send(1);
            expect("l1");
            connection.remove(listener);
            connection.add(listener);
            connection.disconnect();
            // The end of a connection, too, which is logged.
            Logger.getLogger("spread").setUseParentHandlers(false);
            SpreadConnection lost = daemon.welcome("me");
            lost.add(listener);
            daemon.hangUp();
            Wait.until("the loss", () -> !lost.isConnected());
        } finally {
            Logger.getLogger("spread").setUseParentHandlers(true);
            System.setOut(before);
        }
        assertThat(printed.toString()).isEmpty();
    }

    @Test
    void blockedReceiverKeepsItsTurn() throws Exception {
        CompletableFuture<Byte> got = new CompletableFuture<>();
        Thread receiver =
                new Thread(
                        () -> {
                            try {
                                got.complete(connection.receive().getData()[0]);
                            } catch (Exception e) {
                                got.completeExceptionally(e);
                            }
                        });
        receiver.start();
        Wait.untilBlockedIn(receiver, "fetch");
        connection.add(recorder("l"));
        send(1);
        send(2);
        assertThat(got.get()).isEqualTo((byte) 1);
        expect("l2");
    }

    @Test
    void nullAndStrangersAreNothing() {
        connection.add((BasicMessageListener) null);
        connection.remove((BasicMessageListener) null);
        connection.remove(recorder("stranger"));
        connection.remove((AdvancedMessageListener) null);
        assertThat(connection.basicListeners).isEmpty();
    }

    @Test
    void programMayHoldTheMonitorOfTheConnection() throws Exception {
        connection.add(recorder("l"));
        CompletableFuture<Void> other;
        synchronized (connection) {
            send(1);
            expect("l1");
            other =
                    CompletableFuture.runAsync(
                            () -> {
                                try {
                                    send(2);
                                    connection.disconnect();
                                } catch (SpreadException e) {
                                    throw new AssertionError(e);
                                }
                            });
            other.get(20, TimeUnit.SECONDS);
        }
        assertThat(connection.isConnected()).isFalse();
    }
}
