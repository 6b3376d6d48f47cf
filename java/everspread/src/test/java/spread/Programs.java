package spread;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Programs in processes of their own. */
final class Programs {

    private static final long LIMIT_S = 30;

    private Programs() {}

    /** The class path of these tests, without the simulated network. */
    static String ours() {
        return "target/classes" + File.pathSeparator + "target/test-classes";
    }

    /** A running program. */
    static final class Program implements AutoCloseable {
        final Process process;
        final String what;
        private final PrintStream in;
        private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
        private final List<String> all = new ArrayList<>();

        private Program(String what, ProcessBuilder builder) throws IOException {
            this.what = what;
            process = builder.redirectErrorStream(true).start();
            in = new PrintStream(process.getOutputStream(), true);
            Thread reader =
                    new Thread(
                            () -> {
                                try (BufferedReader out =
                                        new BufferedReader(
                                                new InputStreamReader(process.getInputStream()))) {
                                    String line;
                                    while ((line = out.readLine()) != null) {
                                        lines.add(line);
                                    }
                                } catch (IOException e) {
                                    lines.add("(" + e + ")");
                                }
                                lines.add("(end)");
                            });
            reader.setDaemon(true);
            reader.start();
        }

        void tell(String line) {
            in.println(line);
        }

        /** The next line that starts so. */
        String line(String start) throws InterruptedException {
            while (true) {
                String line = lines.poll(LIMIT_S, TimeUnit.SECONDS);
                if (line == null || line.equals("(end)") && !start.equals("(end)")) {
                    throw new AssertionError(
                            what + ": no line " + start + " but " + all + " and " + line);
                }
                all.add(line);
                if (line.startsWith(start)) {
                    return line;
                }
            }
        }

        /** Waits for its end; all that it has printed. */
        String end(int status) throws InterruptedException {
            line("(end)");
            if (!process.waitFor(LIMIT_S, TimeUnit.SECONDS) || process.exitValue() != status) {
                throw new AssertionError(what + " has not ended with " + status + ": " + all);
            }
            return String.join("\n", all);
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }

    static Program java(String classPath, String... arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(System.getProperty("java.home") + "/bin/java");
        command.add("-Xcheck:jni");
        command.add("-cp");
        command.add(classPath);
        command.addAll(Arrays.asList(arguments));
        return new Program(String.join(" ", arguments), new ProcessBuilder(command));
    }

    static Program c(String program, String libraries, String... arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(program);
        command.addAll(Arrays.asList(arguments));
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("LD_LIBRARY_PATH", libraries);
        return new Program("C " + String.join(" ", arguments), builder);
    }

    /** Runs a tool to its end. */
    static void run(String... command) throws Exception {
        Program program = new Program(String.join(" ", command), new ProcessBuilder(command));
        program.end(0);
    }
}
