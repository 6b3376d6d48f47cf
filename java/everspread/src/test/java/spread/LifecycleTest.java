package spread;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.lang.ref.WeakReference;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import spread.testing.TestNetwork;
import spread.testing.TestNetworkExtension;

/** What is left behind: by many connections, by forgotten ones, by class loaders, at the end of a JVM. */
class LifecycleTest {

    @RegisterExtension
    static final TestNetworkExtension NETWORK = TestNetworkExtension.daemons(1);

    private static TestNetwork.Daemon daemon() {
        return NETWORK.network().daemon(0);
    }

    private static long resident() throws Exception {
        String[] fields =
                new String(Files.readAllBytes(Paths.get("/proc/self/statm"))).split(" ");
        return Long.parseLong(fields[1]) * 4096;
    }

    private static int threads() {
        return new File("/proc/self/task").list().length;
    }

    private static void connectAndDisconnect(int times, boolean listener) throws Exception {
        SpreadConnection connection = new SpreadConnection();
        if (listener) {
            connection.add((BasicMessageListener) message -> {});
        }
        for (int i = 0; i < times; i++) {
            connection.connect(daemon().address(), daemon().port(), "loop", false, true);
            new SpreadGroup().join(connection, "room");
            if (!listener) {
                connection.receive();
            }
            connection.disconnect();
        }
    }

    @Test
    void thousandConnectionsLeaveNothingBehind() throws Exception {
        for (boolean listener : new boolean[] {false, true}) {
            connectAndDisconnect(100, listener);
            System.gc();
            int descriptors = ConnectTest.descriptors();
            int threads = threads();
            long memory = resident();
            connectAndDisconnect(1000, listener);
            System.gc();
            // The listeners' threads end by themselves.
            Wait.until("the threads' ends", () -> threads() < threads + 10);
            Wait.until("closed descriptors", () -> ConnectTest.descriptors() < descriptors + 10);
            assertThat(resident() - memory).as("bytes of memory").isLessThan(200L << 20);
        }
    }

    /** In a method of its own, so that nothing stays on the stack. */
    private static void forget(int count) throws Exception {
        for (int i = 0; i < count; i++) {
            SpreadConnection connection = new SpreadConnection();
            connection.connect(daemon().address(), daemon().port(), "forgot" + i, false, true);
            new SpreadGroup().join(connection, "room");
            connection.receive();
        }
    }

    @Test
    void forgottenConnectionsAreClosed() throws Exception {
        forget(20);
        Wait.until(
                "the sessions' ends",
                () -> {
                    System.gc();
                    return NETWORK.network().sessions().stream()
                            .noneMatch(session -> session.startsWith("#forgot"));
                });
    }

    @Test
    void connectionThatIsUsedIsNotForgotten() throws Exception {
        try (Peer peer = Peer.at(daemon(), "used")) {
            peer.join("used");
            for (int i = 0; i < 20; i++) {
                System.gc();
                peer.send("used", (byte) i);
                assertThat(peer.data().getData()).containsExactly((byte) i);
            }
        }
    }

    private static WeakReference<ClassLoader> useLoader(int round) throws Exception {
        URL classes = new File("target/classes").toURI().toURL();
        URLClassLoader loader = new URLClassLoader(new URL[] {classes}, null);
        Class<?> type = loader.loadClass("spread.SpreadConnection");
        assertThat(type).isNotSameAs(SpreadConnection.class);
        Object connection = type.getConstructor().newInstance();
        type.getMethod(
                        "connect",
                        java.net.InetAddress.class,
                        int.class,
                        String.class,
                        boolean.class,
                        boolean.class)
                .invoke(
                        connection,
                        daemon().address(),
                        daemon().port(),
                        "loader" + round,
                        false,
                        true);
        type.getMethod("disconnect").invoke(connection);
        loader.close();
        return new WeakReference<>(loader);
    }

    @Test
    void classLoadersCanGo() throws Exception {
        List<WeakReference<ClassLoader>> loaders = new ArrayList<>();
        for (int round = 0; round < 3; round++) {
            loaders.add(useLoader(round));
        }
        Wait.until(
                "unloaded class loaders",
                () -> {
                    System.gc();
                    return loaders.stream().allMatch(loader -> loader.get() == null);
                });
        // What is mapped of their libraries does no harm.
        connectAndDisconnect(3, false);
    }

    @Test
    void jvmEndsInEveryWayWithOpenConnections() throws Exception {
        for (String how : new String[] {"return", "exit", "halt", "throw"}) {
            try (TestNetwork network = TestNetwork.start(1);
                    Programs.Program program =
                            Programs.java(
                                    Programs.ours(),
                                    "programs.Forgetful",
                                    "127.0.0.1",
                                    String.valueOf(network.daemon(0).port()),
                                    how)) {
                assertThat(program.end(how.equals("throw") ? 1 : 0))
                        .as(how)
                        .startsWith("ready")
                        .doesNotContain("WARNING");
                Wait.until("the sessions' ends", () -> network.sessions().isEmpty());
            }
        }
    }

    @Test
    void idleConnectionsUseNoProcessor() throws Exception {
        SpreadConnection listening = new SpreadConnection();
        listening.add((BasicMessageListener) message -> {});
        listening.connect(daemon().address(), daemon().port(), "idle1", false, true);
        Peer waiting = Peer.at(daemon(), "idle2");
        Thread receiver =
                new Thread(
                        () -> {
                            try {
                                waiting.next();
                            } catch (Exception e) {
                                // The end of the test.
                            }
                        },
                        "spread-test");
        receiver.start();
        Wait.untilBlockedIn(receiver, "fetch");
        long before = threadTimes();
        Thread.sleep(1000);
        assertThat(threadTimes() - before).as("ns of CPU in a second").isLessThan(20_000_000);
        waiting.close();
        listening.disconnect();
        receiver.join();
    }

    /** What all threads of the library, Java's and native ones, have used, and the receiver. */
    private static long threadTimes() throws Exception {
        long sum = 0;
        int threads = 0;
        for (File thread : new File("/proc/self/task").listFiles()) {
            try {
                String name = new String(Files.readAllBytes(thread.toPath().resolve("comm")));
                if (name.startsWith("spread-")) {
                    Path times = thread.toPath().resolve("schedstat");
                    sum += Long.parseLong(new String(Files.readAllBytes(times)).split(" ")[0]);
                    threads++;
                }
            } catch (java.nio.file.NoSuchFileException e) {
                // It has ended.
            }
        }
        assertThat(threads).as("listener, receiver, reaper, reader").isGreaterThanOrEqualTo(4);
        return sum;
    }

    @Test
    void libraryIsLoadedFromAPropertyOrTheReasonIsSaid() throws Exception {
        String[] arguments = {
            "programs.Forgetful", "127.0.0.1", String.valueOf(daemon().port()), "return"
        };
        String[] bad = new String[arguments.length + 1];
        bad[0] = "-Dspread.native.path=/no/such/library.so";
        System.arraycopy(arguments, 0, bad, 1, arguments.length);
        try (Programs.Program program = Programs.java(Programs.ours(), bad)) {
            assertThat(program.end(1))
                    .contains("spread.SpreadException: no native library for Linux on ")
                    .contains("/no/such/library.so");
        }
        // A library of something else.
        bad[0] =
                "-Dspread.native.path="
                        + System.getProperty("spread.test.libraries")
                        + "/libspread_testd_jni.so";
        try (Programs.Program program = Programs.java(Programs.ours(), bad)) {
            assertThat(program.end(1))
                    .contains("spread.SpreadException: the native library is that of another");
        }
        String library =
                new File("target/classes/META-INF/native").listFiles()[0].getAbsolutePath()
                        + "/libspread_jni.so";
        bad[0] = "-Dspread.native.path=" + library;
        try (Programs.Program program = Programs.java(Programs.ours(), bad)) {
            assertThat(program.end(0)).startsWith("ready");
        }
    }

    @Test
    void messagesAndGroupsNeedNoLibrary() throws Exception {
        try (Programs.Program program =
                Programs.java(
                        Programs.ours(),
                        "-Dspread.native.path=/no/such/library.so",
                        "programs.Values")) {
            assertThat(program.end(0)).contains("[thing] room 5.00.00");
        }
    }

    @Test
    void nothingIsLeftInTheTemporaryDirectory() {
        String[] left =
                new File(System.getProperty("java.io.tmpdir"))
                        .list((directory, name) -> name.startsWith("everspread-"));
        // Others may be starting at this moment, with their own.
        for (String name : left) {
            File directory = new File(System.getProperty("java.io.tmpdir"), name);
            assertThat(System.currentTimeMillis() - directory.lastModified()).isLessThan(60_000);
        }
    }
}
