package spread.testing;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * A simulated network of Spread daemons, inside the test: at free ports of the loopback addresses, and
 * with everything that can happen to real ones at the test's command.
 *
 * <pre>{@code
 * try (TestNetwork network = TestNetwork.start(2)) {
 *     SpreadConnection connection = new SpreadConnection();
 *     connection.connect(network.daemon(0).address(), network.daemon(0).port(), "me", false, true);
 *     network.kill(0);
 *     ...
 * }
 * }</pre>
 *
 * <p>As a JUnit 5 extension: {@link TestNetworkExtension}. All methods may be called from any thread.
 * What cannot be done is answered with an {@link IllegalArgumentException}.
 */
public final class TestNetwork implements AutoCloseable {

    private final long handle;
    private final List<Daemon> daemons;

    private TestNetwork(long handle) {
        this.handle = handle;
        List<Daemon> list = new ArrayList<>();
        for (String line : Native.daemons(handle).split("\n")) {
            list.add(new Daemon(line.split("\t", -1)));
        }
        daemons = Collections.unmodifiableList(list);
    }

    /**
     * Starts a network. Its daemons listen when this returns.
     *
     * @param daemons how many, 1 to 128
     * @return the network, to be closed
     */
    public static TestNetwork start(int daemons) {
        return start("daemons=" + daemons);
    }

    /**
     * Starts a network with options.
     *
     * @param options {@code key=value} pairs with {@code &} or blanks between them, such as {@code
     *     "daemons=3&max_session_messages=10"}
     * @return the network, to be closed
     */
    public static TestNetwork start(String options) {
        return new TestNetwork(Native.start(options));
    }

    /**
     * All daemons.
     *
     * @return in order, alive or not
     */
    public List<Daemon> daemons() {
        return daemons;
    }

    /**
     * One daemon.
     *
     * @param index counted from 0
     * @return the daemon
     */
    public Daemon daemon(int index) {
        return daemons.get(index);
    }

    /**
     * Kills a daemon, as SIGKILL does: when this returns its clients' connections are closed, and
     * connects are refused. The other daemons notice 20 ms later.
     *
     * @param daemon counted from 0
     */
    public void kill(int daemon) {
        command("kill " + daemon);
    }

    /**
     * Starts a daemon again, at its old port and with no memory.
     *
     * @param daemon counted from 0
     */
    public void restart(int daemon) {
        command("restart " + daemon);
    }

    /**
     * Makes a daemon do nothing at all, as a machine that hangs.
     *
     * @param daemon counted from 0
     */
    public void freeze(int daemon) {
        command("freeze " + daemon);
    }

    /**
     * Lets a frozen daemon go on.
     *
     * @param daemon counted from 0
     */
    public void thaw(int daemon) {
        command("thaw " + daemon);
    }

    /**
     * Splits the network into sets of daemons that cannot reach each other.
     *
     * @param sets of daemons, counted from 0; those in no set form one more
     */
    public void partition(int[]... sets) {
        StringBuilder text = new StringBuilder("partition");
        for (int[] set : sets) {
            char separator = ' ';
            for (int daemon : set) {
                text.append(separator).append(daemon);
                separator = ',';
            }
        }
        command(text.toString());
    }

    /** Ends a partition. */
    public void heal() {
        command("heal");
    }

    /**
     * Carries out a command of the simulated network: faults of single connections, refused connects
     * and so on. The command {@code help} lists them.
     *
     * @param text the command, such as {@code "fault #alice#d1 delay 50"}
     * @return what there is to say, which is nothing for most commands
     */
    public String command(String text) {
        return Native.command(handle, text);
    }

    /**
     * The sessions of all daemons.
     *
     * @return their private groups
     */
    public List<String> sessions() {
        List<String> list = new ArrayList<>();
        for (String line : command("sessions").split("\n")) {
            if (!line.isEmpty()) {
                list.add(line.split(" ")[0]);
            }
        }
        return list;
    }

    /** Ends the network: all connections are closed. */
    @Override
    public void close() {
        Native.stop(handle);
    }

    /** One daemon: where its clients find it. */
    public static final class Daemon {
        private final String name;
        private final String host;
        private final int port;
        private final String unixSocket;

        private Daemon(String[] fields) {
            name = fields[0];
            host = fields[1];
            port = Integer.parseInt(fields[2]);
            unixSocket = fields[3].isEmpty() ? null : fields[3];
        }

        /**
         * The second part of its clients' private groups.
         *
         * @return such as {@code d1}
         */
        public String name() {
            return name;
        }

        /**
         * What to connect to.
         *
         * @return a literal address, which stands for this daemon alone
         */
        public InetAddress address() {
            try {
                return InetAddress.getByName(host);
            } catch (UnknownHostException e) {
                throw new IllegalStateException("not a literal: " + host, e);
            }
        }

        /**
         * The port.
         *
         * @return the same for all daemons of a network
         */
        public int port() {
            return port;
        }

        /**
         * The name for C programs and for lists of daemons.
         *
         * @return such as {@code 43211@127.0.0.1}
         */
        public String spreadName() {
            return port + "@" + (host.indexOf(':') >= 0 ? "[" + host + "]" : host);
        }

        /**
         * The unix socket.
         *
         * @return its path, or null: only the first daemon has one
         */
        public String unixSocket() {
            return unixSocket;
        }

        /** Name and place. */
        @Override
        public String toString() {
            return name + " " + spreadName();
        }
    }
}
