package spread;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.net.InetAddress;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import spread.ext.SpreadClient;
import spread.testing.TestNetwork;

/** Authentication methods of programs, run again when a connection is restored. */
class ReauthenticationTest {

    /** What a method does at its first, second ... call; the last holds for all others. */
    private static volatile Runnable[] script;

    private static final List<Thread> CALLS = new CopyOnWriteArrayList<>();

    private static volatile boolean interrupted;
    private static volatile CountDownLatch released;

    private LogKeeper log;

    /** The program's method. */
    public static class Scripted implements SpreadAuthInterface {
        @Override
        public void authenticate() {
            int call;
            synchronized (CALLS) {
                call = CALLS.size();
                CALLS.add(Thread.currentThread());
            }
            script[Math.min(call, script.length - 1)].run();
        }
    }

    private static void pass() {}

    private static void fail() {
        throw new IllegalStateException("on purpose");
    }

    private static final Runnable FAIL = ReauthenticationTest::fail;

    private static void failBadly() {
        throw new StackOverflowError("on purpose");
    }

    private static void hangUntilInterrupted() {
        try {
            released.await();
        } catch (InterruptedException e) {
            interrupted = true;
        }
    }

    private static void hang() {
        while (true) {
            try {
                released.await();
                return;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
    }

    @BeforeEach
    void begin() {
        CALLS.clear();
        interrupted = false;
        released = new CountDownLatch(1);
        log = new LogKeeper();
    }

    @AfterEach
    void end() throws Exception {
        released.countDown();
        log.close();
        noThreads();
    }

    private static void noThreads() throws Exception {
        Wait.until("the ends of the threads", () -> threads().isEmpty());
    }

    private static List<Thread> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("spread-auth"))
                .collect(Collectors.toList());
    }

    private static SpreadClient open(TestNetwork network, String failover, Runnable... calls)
            throws Exception {
        script = calls;
        Properties properties = new Properties();
        properties.setProperty(
                SpreadClient.DAEMONS,
                network.daemons().stream()
                        .map(TestNetwork.Daemon::spreadName)
                        .collect(Collectors.joining(",")));
        properties.setProperty(SpreadClient.PRIVATE_NAME, "auth");
        properties.setProperty("spread.client.failover", failover);
        // Short only where a method hangs: an attempt of a slow machine must not be over.
        boolean hangs = calls.length > 1 && calls[1] != FAIL;
        properties.setProperty("spread.client.attempt_timeout_ms", hangs ? "400" : "20000");
        properties.setProperty("spread.client.reconnect_min_ms", "1");
        properties.setProperty("spread.client.reconnect_max_ms", "20");
        SpreadClient client = new SpreadClient();
        client.registerAuthentication("NULL", Scripted.class.getName());
        client.connect(properties);
        new SpreadGroup().join(client, "room");
        client.receive();
        return client;
    }

    /** What is to hold after a restore. */
    private interface Check {
        void run() throws Exception;
    }

    /** Connects, loses the daemon and is restored, with a method that does so. */
    private static void loseAndRestore(Check afterwards, Runnable... calls) throws Exception {
        try (TestNetwork network = TestNetwork.start(2);
                SpreadClient client = open(network, "auto", calls)) {
            network.kill(0);
            awaitRestored(client);
            afterwards.run();
        }
    }

    /** Waits until the connection is restored. */
    private static void awaitRestored(SpreadClient client) throws Exception {
        SpreadMessage message;
        do {
            message = client.receive();
        } while (!message.getMembershipInfo().isRegularMembership());
        assertThat(client.getPrivateGroup()).hasToString("#auth#d2");
    }

    @Test
    void methodRunsAgainOnAJavaThread() throws Exception {
        loseAndRestore(
                () -> {
                    assertThat(CALLS).hasSize(2);
                    assertThat(CALLS.get(0)).isSameAs(Thread.currentThread());
                    assertThat(CALLS.get(1).isDaemon()).isTrue();
                    assertThat(CALLS.get(1).getName()).isEqualTo("spread-auth");
                    assertThat(log.records()).isEmpty();
                },
                ReauthenticationTest::pass);
    }

    @Test
    void methodThatThrowsFailsOneAttempt() throws Exception {
        loseAndRestore(
                () -> {
                    assertThat(CALLS).hasSize(4);
                    Wait.until("what is logged", () -> log.records().size() == 2);
                    assertThat(log.records().get(0).getThrown()).hasMessage("on purpose");
                },
                ReauthenticationTest::pass,
                FAIL,
                ReauthenticationTest::failBadly,
                ReauthenticationTest::pass);
    }

    @Test
    void methodThatHangsFailsOneAttemptAndIsInterrupted() throws Exception {
        loseAndRestore(
                () -> Wait.until("the interrupt", () -> interrupted),
                ReauthenticationTest::pass,
                ReauthenticationTest::hangUntilInterrupted,
                ReauthenticationTest::pass);
    }

    @Test
    void methodThatHangsForEverHoldsUpNobody() throws Exception {
        loseAndRestore(
                () -> assertThat(CALLS.size()).isGreaterThanOrEqualTo(4),
                ReauthenticationTest::pass,
                ReauthenticationTest::hang,
                ReauthenticationTest::hang,
                ReauthenticationTest::pass);
    }

    @Test
    void methodsThatHangDoNotPileUp() throws Exception {
        try (TestNetwork network = TestNetwork.start(2);
                SpreadClient client =
                        open(
                                network,
                                "auto",
                                ReauthenticationTest::pass,
                                ReauthenticationTest::hang)) {
            network.kill(0);
            Wait.until(
                    "a refused attempt",
                    () ->
                            log.records().stream()
                                    .anyMatch(entry -> entry.getMessage().contains("not return")));
            Wait.until("the calls", () -> CALLS.size() == 1 + 4);
            // They are let go, and the connection is restored.
            script = new Runnable[] {ReauthenticationTest::pass};
            released.countDown();
            awaitRestored(client);
        }
    }

    @Test
    void connectionIsLostWhenNobodyIsAuthenticatedInTime() throws Exception {
        try (TestNetwork network = TestNetwork.start(2)) {
            System.setProperty("spread.client.reconnect_for_ms", "300");
            try (SpreadClient client =
                    open(
                            network,
                            "auto",
                            ReauthenticationTest::pass,
                            FAIL)) {
                network.kill(0);
                assertThatExceptionOfType(SpreadException.class)
                        .isThrownBy(client::receive)
                        .withMessage("Connection closed while reading message header");
                assertThat(client.isConnected()).isFalse();
                Wait.until("the end of the last attempt", () -> network.sessions().isEmpty());
            } finally {
                System.clearProperty("spread.client.reconnect_for_ms");
            }
        }
    }

    @Test
    void disconnectInterruptsAMethodAndEndsTheThreads() throws Exception {
        try (TestNetwork network = TestNetwork.start(2)) {
            SpreadClient client =
                    open(
                            network,
                            "auto",
                            ReauthenticationTest::pass,
                            ReauthenticationTest::hangUntilInterrupted);
            network.kill(0);
            // An attempt that is over has been followed by another one, which hangs as well.
            Wait.until("a call", () -> CALLS.size() >= 2);
            client.disconnect();
            noThreads();
            assertThat(interrupted).isTrue();
        }
    }

    @Test
    void withoutAMethodOrWithoutRestoringThereIsNoThread() throws Exception {
        try (TestNetwork network = TestNetwork.start(1)) {
            try (SpreadClient client = open(network, "connect", ReauthenticationTest::pass)) {
                assertThat(client.isConnected()).isTrue();
                assertThat(threads()).isEmpty();
            }
            Properties properties = new Properties();
            properties.setProperty(SpreadClient.DAEMONS, network.daemon(0).spreadName());
            properties.setProperty("spread.client.failover", "auto");
            try (SpreadClient client = SpreadClient.open(properties)) {
                assertThat(client.isConnected()).isTrue();
                assertThat(threads()).isEmpty();
            }
        }
    }

    private static void forget(TestNetwork network) throws Exception {
        assertThat(open(network, "auto", ReauthenticationTest::pass).isConnected()).isTrue();
        assertThat(threads()).hasSize(1);
    }

    @Test
    void threadKeepsNoForgottenConnectionOpen() throws Exception {
        try (TestNetwork network = TestNetwork.start(1)) {
            forget(network);
            Wait.until(
                    "the session's end",
                    () -> {
                        System.gc();
                        return network.sessions().isEmpty();
                    });
            noThreads();
        }
    }

    @Test
    void methodRunsForEveryDaemonThatConnectTries() throws Exception {
        script = new Runnable[] {ReauthenticationTest::pass};
        try (TestNetwork network = TestNetwork.start(1);
                FakeDaemon first = new FakeDaemon();
                SpreadClient client = new SpreadClient()) {
            client.registerAuthentication("NULL", Scripted.class.getName());
            Thread fake =
                    new Thread(
                            () -> {
                                try {
                                    first.accept();
                                    first.readRequest();
                                    first.offer("NULL ");
                                    first.readMethods();
                                    first.hangUp();
                                } catch (java.io.IOException e) {
                                    // The test fails by itself.
                                }
                            });
            fake.start();
            String list =
                    first.port()
                            + "@"
                            + InetAddress.getLoopbackAddress().getHostAddress()
                            + ","
                            + network.daemon(0).spreadName();
            client.connect(list, "auth");
            fake.join();
            assertThat(CALLS).containsExactly(Thread.currentThread(), Thread.currentThread());
        }
    }

    @Test
    void methodThatFailsAtOneDaemonIsNotTriedAtTheNext() throws Exception {
        try (TestNetwork network = TestNetwork.start(2)) {
            assertThatExceptionOfType(SpreadException.class)
                    .isThrownBy(() -> open(network, "auto", FAIL))
                    .withMessage("Connection Rejected: Authentication failed");
            assertThat(CALLS).hasSize(1);
            Wait.until("the end of the attempt", () -> network.sessions().isEmpty());
        }
    }
}
