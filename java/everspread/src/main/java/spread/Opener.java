package spread;

import java.io.IOException;
import java.net.ConnectException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import spread.ext.SpreadClient;

/** Opens one session: what is asked for, and what the answers mean. */
final class Opener {

    /** The kernel itself keeps nothing back for longer than 200 ms. */
    private static final int MOST_MICROS = 100_000;

    /** Daemons from 3.1.0 on are supported; older ones than 3.8.0 without a priority. */
    private static final int OLDEST = 3 << 16 | 1 << 8;

    private byte[] daemons;
    /** The daemons were named by options, not by an address. */
    private boolean chosen;
    private byte[] privateName = {};
    private boolean priority;
    private boolean membership;
    private Authentication authentication = Authentication.NONE;
    private int timeoutMs;
    private int coalesceMicros;
    private final Map<String, String> options = new TreeMap<>();

    Opener daemons(String list) {
        daemons = list.getBytes(StandardCharsets.UTF_8);
        return this;
    }

    /** A list that no system property replaces. */
    Opener chosenDaemons(String list) {
        chosen = true;
        return daemons(list);
    }

    /** In UTF-8: a name with other characters than ASCII is refused by the daemon. */
    Opener privateName(String name) {
        privateName = name.getBytes(StandardCharsets.UTF_8);
        return this;
    }

    Opener priority(boolean on) {
        priority = on;
        return this;
    }

    Opener membership(boolean on) {
        membership = on;
        return this;
    }

    Opener authentication(Authentication method) {
        authentication = method;
        return this;
    }

    Opener timeoutMs(int limit) {
        timeoutMs = limit;
        return this;
    }

    /** By name; they go before those of the system properties. */
    Opener options(Map<String, String> more) {
        options.putAll(more);
        return this;
    }

    /**
     * What to try for an address: itself, and then the name that it was made from, if any. The name is
     * taken from {@code toString()}, which looks nothing up.
     */
    static String list(InetAddress address, int port) throws SpreadException {
        if (address != null) {
            return entries(address, port);
        }
        try {
            return entries(InetAddress.getLocalHost(), port)
                    + ","
                    + entry(InetAddress.getLoopbackAddress().getHostAddress(), port);
        } catch (UnknownHostException e) {
            SpreadException exception = new SpreadException("Error getting local host");
            exception.initCause(e);
            throw exception;
        }
    }

    private static String entries(InetAddress address, int port) {
        String literal = entry(address.getHostAddress(), port);
        String text = address.toString();
        String name = text.substring(0, Math.max(0, text.indexOf('/')));
        return isHostName(name, address) ? literal + "," + entry(name, port) : literal;
    }

    private static String entry(String host, int port) {
        return port + "@" + (host.indexOf(':') >= 0 ? "[" + host + "]" : host);
    }

    /** Whether the list of daemons can have it as a host, and it says something new. */
    private static boolean isHostName(String name, InetAddress address) {
        return !name.isEmpty()
                && !name.equals(address.getHostAddress())
                && name.chars().allMatch(c -> c > ' ' && c < 0x7f && ",;@[]:".indexOf(c) < 0)
                && !(address instanceof Inet6Address && name.indexOf('%') >= 0);
    }

    /** The number of the session. */
    long open() throws SpreadException {
        NativeLoader.ensure();
        withSystemProperties();
        takeCoalescing();
        long answer =
                Native.connect(
                        daemons,
                        privateName,
                        authentication.isOwn() ? Names.encode(authentication.name()) : null,
                        priority,
                        membership,
                        timeoutMs,
                        optionLines().getBytes(StandardCharsets.UTF_8));
        // Once for each daemon that is tried and gets so far.
        while (answer == Native.RUN_METHOD) {
            SpreadException failure = authentication.run();
            answer = Native.finishConnect(failure == null);
            if (failure != null) {
                throw failure;
            }
        }
        if (answer <= Native.OLD) {
            throw tooOld((int) (Native.OLD - answer));
        }
        if (answer < 0) {
            throw explain((int) answer);
        }
        return answer;
    }

    /**
     * Programs that know nothing of options get them from {@code spread.client.*}: the list of daemons
     * goes before the address that they name.
     */
    private void withSystemProperties() throws SpreadException {
        Properties properties = System.getProperties();
        for (String name : properties.stringPropertyNames()) {
            if (!name.startsWith(SpreadClient.PREFIX)) {
                continue;
            }
            String value = properties.getProperty(name);
            switch (name) {
                case SpreadClient.DAEMONS:
                    if (!chosen) {
                        daemons(value);
                    }
                    break;
                case SpreadClient.CONNECT_TIMEOUT:
                    if (timeoutMs == 0) {
                        timeoutMs = unsigned(name, value);
                    }
                    break;
                case SpreadClient.PRIVATE_NAME:
                case SpreadClient.MEMBERSHIP:
                    // The program says so itself, always.
                    break;
                default:
                    options.putIfAbsent(name.substring(SpreadClient.PREFIX.length()), value);
            }
        }
    }

    /** The one option that is not the native side's, see {@link Coalescing}. */
    private void takeCoalescing() throws SpreadException {
        String name = SpreadClient.COALESCE.substring(SpreadClient.PREFIX.length());
        String value = options.remove(name);
        if (value != null) {
            coalesceMicros = unsigned(SpreadClient.COALESCE, value);
            if (coalesceMicros > MOST_MICROS) {
                throw badOption(SpreadClient.COALESCE, value);
            }
        }
    }

    /** How long messages may be kept back; 0 for not at all. Known once {@link #open} has returned. */
    int coalesceMicros() {
        return coalesceMicros;
    }

    private static int unsigned(String name, String value) throws SpreadException {
        try {
            int number = Integer.parseInt(value.trim());
            if (number >= 0) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw badOption(name, value);
    }

    private static SpreadException badOption(String name, String value) {
        return new SpreadException("Bad option: " + name + " cannot be \"" + value + "\"");
    }

    private String optionLines() {
        StringBuilder lines = new StringBuilder();
        options.forEach((name, value) -> lines.append(name).append('=').append(value).append('\n'));
        return lines.toString();
    }

    /** {@code version}: a byte each for major, minor and patch. */
    private static SpreadException tooOld(int version) {
        String text = (version >> 16) + "." + (version >> 8 & 0xff) + "." + (version & 0xff);
        return new SpreadException(
                "Old version "
                        + text
                        + (version < OLDEST ? " not supported" : " does not support priority"));
    }

    private SpreadException explain(int status) {
        if (status <= Native.REFUSED_FROM) {
            int code = Native.REFUSED - status;
            // The classic client reads any byte but 1 as a negative number.
            return new SpreadException(
                    "Connection attempt rejected=" + (code < 0 ? code : code - 256));
        }
        byte[] text = new byte[2000];
        int length = Math.max(0, Native.complaint(text));
        String reason = new String(text, 0, length, StandardCharsets.UTF_8);
        switch (status) {
            case Native.BAD_DAEMON:
                return socket(new UnknownHostException(reason));
            case Native.UNREACHABLE:
                return socket(new ConnectException(reason));
            case Native.CLOSED:
                return new SpreadException("Connection closed during connect attempt");
            case Native.NOT_AUTHENTICATED:
                // The daemon would say so if it were asked; the native side has seen its list.
                return new SpreadException("Connection attempt rejected=-9");
            case Native.BAD_OPTION:
                return new SpreadException("Bad option: " + reason);
            default:
                return new SpreadException("internal error of the native library");
        }
    }

    private static SpreadException socket(IOException cause) {
        return SpreadException.because("Socket(): ", cause);
    }
}
