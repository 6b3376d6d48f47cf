package spread;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import spread.testing.TestNetwork;

/**
 * The sample programs of the classic distribution (User with its receive thread, Flooder), compiled with
 * the classic jar, run with these classes instead.
 *
 * <p>They are not ours, so they are where the environment says: {@code SPREAD_JAVA_SAMPLES} is the folder
 * of their class files. They run on the simulated network, and on a real daemon where {@code
 * SPREAD_DAEMON} names one; with {@code SPREAD_CLASSIC_JAR} also with that jar, which shows that what is
 * expected here is right.
 */
class SamplesTest {

    private static final int BURST = 10;

    @TempDir static Path folder;
    private static String samples;

    @BeforeAll
    static void find() {
        samples = System.getenv("SPREAD_JAVA_SAMPLES");
        String why = null;
        if (samples == null || samples.isEmpty()) {
            why = "SPREAD_JAVA_SAMPLES does not name a folder with the classic sample programs";
            System.out.println("skipped: " + why);
        }
        Assumptions.assumeTrue(why == null, why);
        for (String program : new String[] {"User", "recThread", "Flooder"}) {
            assertThat(Paths.get(samples, program + ".class")).exists();
        }
    }

    /** A sample that runs. Prompts end in no line, so all that it has printed is looked at. */
    private static final class Sample implements AutoCloseable {
        private final List<String> command;
        private final Process process;
        private final StringBuffer printed = new StringBuffer();
        private final Thread reader = new Thread(this::read);

        Sample(String library, String host, String port, String... arguments) throws IOException {
            command = new ArrayList<>();
            command.add(System.getProperty("java.home") + "/bin/java");
            command.add("-Xcheck:jni");
            command.add("-cp");
            command.add(library + java.io.File.pathSeparator + samples);
            command.addAll(Arrays.asList(arguments));
            Collections.addAll(command, "-s", host, "-p", port);
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
            reader.setDaemon(true);
            reader.start();
        }

        private void read() {
            char[] piece = new char[4096];
            try (Reader out =
                    new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII)) {
                int count;
                while ((count = out.read(piece)) >= 0) {
                    printed.append(piece, 0, count);
                }
            } catch (IOException e) {
                printed.append(e);
            }
        }

        int count(String text) {
            String all = printed.toString();
            int count = 0;
            for (int at = all.indexOf(text); at >= 0; at = all.indexOf(text, at + 1)) {
                count++;
            }
            return count;
        }

        void await(String text, int times) throws Exception {
            try {
                Wait.until(times + " times " + text, () -> count(text) >= times);
            } catch (AssertionError e) {
                throw new AssertionError(command + " has printed:\n" + printed, e);
            }
            assertThat(count(text)).as("%s in\n%s", text, printed).isEqualTo(times);
        }

        /** Types a line when it is waited for. */
        void type(String line) throws IOException {
            OutputStream in = process.getOutputStream();
            in.write((line + "\n").getBytes(StandardCharsets.US_ASCII));
            in.flush();
        }

        String end() throws Exception {
            assertThat(process.waitFor(120, TimeUnit.SECONDS)).as("%s: %s", command, printed).isTrue();
            reader.join();
            assertThat(process.exitValue()).as("%s: %s", command, printed).isZero();
            assertThat(printed.toString()).doesNotContain("WARNING", "FATAL");
            return printed.toString();
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }

    private static void user(String library, String host, String port) throws Exception {
        String received = "RECTHREAD Received Message";
        try (Sample user = new Sample(library, host, port, "User", "-u", "sample")) {
            user.await("User> ", 1);
            user.type("j room");
            user.await("REGULAR membership for group room with 1 members", 1);
            user.await("Due to the JOIN of #sample#", 1);
            user.type("s room");
            user.await("Enter message: ", 1);
            user.type("hello there");
            user.await("The message is: hello there", 1);
            user.await(received, 2);
            // The receiver waits already: it gets one more, the listener all others. (Its threads print
            // pieces of lines, so only what one call prints can be counted.)
            user.type("t");
            user.await("User> ", 4);
            user.type("b room");
            user.await("Enter the size of each message: ", 1);
            user.type("20");
            for (int i = 0; i < BURST; i++) {
                user.await("mess num " + i, 1);
            }
            user.await(received, 3);
            user.type("t");
            user.await("User> ", 6);
            user.type("l");
            user.await("SELF-LEAVE message for group room", 1);
            user.await(received, 4);
            user.type("p");
            user.await("There is no message waiting.", 1);
            user.type("q");
            user.end();
        }
    }

    private static void flooder(String library, String host, String port) throws Exception {
        try (Sample both =
                new Sample(library, host, port, "Flooder", "-u", "both", "-m", "3000", "-b", "1000")) {
            assertThat(both.end()).contains("Completed 3000 messages");
        }
        String[] count = {"-m", "500", "-b", "100"};
        try (Sample reader =
                new Sample(library, host, port, with("Flooder", "-u", "reader", "-ro", count))) {
            reader.await("Only receiving messages", 1);
            try (Sample writer =
                    new Sample(library, host, port, with("Flooder", "-u", "writer", "-wo", count))) {
                assertThat(writer.end()).contains("Time: ");
            }
        }
    }

    private static String[] with(String a, String b, String c, String d, String... more) {
        List<String> all = new ArrayList<>(Arrays.asList(a, b, c, d));
        Collections.addAll(all, more);
        return all.toArray(new String[0]);
    }

    private static void all(String host, String port) throws Exception {
        List<String> libraries = new ArrayList<>();
        libraries.add("target/classes");
        String classic = System.getenv("SPREAD_CLASSIC_JAR");
        if (classic != null && !classic.isEmpty()) {
            assertThat(Files.exists(Paths.get(classic))).as(classic).isTrue();
            libraries.add(classic);
        }
        for (String library : libraries) {
            user(library, host, port);
            flooder(library, host, port);
        }
    }

    @Test
    void samplesRunOnTheSimulatedNetwork() throws Exception {
        try (TestNetwork network = TestNetwork.start("daemons=1&port=" + RealDaemon.freePort())) {
            all("127.0.0.1", String.valueOf(network.daemon(0).port()));
        }
    }

    @Test
    void samplesRunOnARealDaemon() throws Exception {
        try (RealDaemon daemon = RealDaemon.named(folder)) {
            Assumptions.assumeTrue(daemon != null, "SPREAD_DAEMON is not set");
            all(daemon.host, daemon.port);
        }
    }
}
