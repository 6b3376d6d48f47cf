package spread;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;

/**
 * A real daemon, where {@code SPREAD_DAEMON} names one: a program, which is started, or one that runs,
 * as {@code port@address}.
 */
final class RealDaemon implements AutoCloseable {

    final String host;
    final String port;
    private final Process process;
    private final Path log;

    private RealDaemon(String host, String port, Process process, Path log) {
        this.host = host;
        this.port = port;
        this.process = process;
        this.log = log;
    }

    /** Null if there is none, which is said. {@code folder} is for its files. */
    static RealDaemon named(Path folder) throws Exception {
        String named = System.getenv("SPREAD_DAEMON");
        if (named == null || named.isEmpty()) {
            System.out.println("skipped: no real daemon, as SPREAD_DAEMON is not set");
            return null;
        }
        if (named.matches("[0-9]+@.+")) {
            String[] place = named.split("@");
            return new RealDaemon(place[1], place[0], null, null);
        }
        int port = freePort();
        Path conf = folder.resolve("spread.conf");
        Files.write(conf, configuration(port, folder).getBytes(StandardCharsets.US_ASCII));
        Path log = folder.resolve("daemon.log");
        Process process =
                new ProcessBuilder(named, "-n", "d1", "-c", conf.toString())
                        .directory(folder.toFile())
                        .redirectErrorStream(true)
                        .redirectOutput(log.toFile())
                        .start();
        RealDaemon daemon = new RealDaemon("127.0.0.1", String.valueOf(port), process, log);
        Wait.until("a daemon that orders messages", daemon::lets);
        return daemon;
    }

    private static int nextPort = 24000 + (int) (ProcessHandle.current().pid() % 7000);

    /** A free one that the classic client takes, and with free ones for the daemons' own talk behind it. */
    static synchronized int freePort() {
        while (true) {
            int port = nextPort;
            nextPort += 4;
            assertThat(port).isLessThan(32700);
            try (ServerSocket clients = new ServerSocket(port);
                    DatagramSocket first = new DatagramSocket(port);
                    DatagramSocket second = new DatagramSocket(port + 1);
                    DatagramSocket third = new DatagramSocket(port + 2)) {
                if (!Files.exists(Paths.get("/tmp", String.valueOf(port)))) {
                    return port;
                }
            } catch (IOException e) {
                // Taken.
            }
        }
    }

    private static String configuration(int port, Path folder) throws IOException {
        String conf =
                String.join(
                        "\n",
                        "Spread_Segment 127.0.0.255:" + port + " {",
                        "    d1 127.0.0.1 {",
                        "        D 127.0.0.1",
                        "        C 127.0.0.1",
                        "    }",
                        "}",
                        "SocketPortReuse = ON",
                        "DebugFlags = { PRINT EXIT }",
                        "");
        if (System.getProperty("user.name").equals("root")) {
            // It changes its user, and its root to a folder that must be there.
            Path run = Files.createDirectories(folder.resolve("run"));
            boolean nogroup =
                    Files.lines(Paths.get("/etc/group")).anyMatch(line -> line.startsWith("nogroup:"));
            conf +=
                    "RuntimeDir = "
                            + run.toAbsolutePath()
                            + "\nDaemonUser = nobody\nDaemonGroup = "
                            + (nogroup ? "nogroup" : "nobody")
                            + "\n";
        }
        return conf;
    }

    /** Whether a client can join a group. */
    private boolean lets() throws Exception {
        if (!process.isAlive()) {
            throw new AssertionError(
                    "the daemon has ended with "
                            + process.exitValue()
                            + ":\n"
                            + new String(Files.readAllBytes(log), StandardCharsets.ISO_8859_1));
        }
        SpreadConnection client = new SpreadConnection();
        try {
            client.connect(
                    InetAddress.getByName(host), Integer.parseInt(port), null, false, true);
        } catch (SpreadException e) {
            return false;
        }
        new SpreadGroup().join(client, "ring");
        client.receive();
        client.disconnect();
        return true;
    }

    @Override
    public void close() throws Exception {
        if (process != null) {
            process.destroyForcibly().waitFor();
            // It cannot do so itself.
            Files.deleteIfExists(Paths.get("/tmp", port));
        }
    }
}
