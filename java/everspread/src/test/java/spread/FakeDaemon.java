package spread;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;

/** A daemon that says what a test has it say, to one client. */
final class FakeDaemon implements AutoCloseable {

    private static final int MARKERS = 0x80000080;

    private final ServerSocket listener;
    private Socket socket;
    DataInputStream in;
    OutputStream out;
    /** What the client has sent to connect. */
    byte[] request;
    /** The 90 bytes with the methods. */
    byte[] methods;

    FakeDaemon() throws IOException {
        listener = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
    }

    int port() {
        return listener.getLocalPort();
    }

    /** Has a client connect while {@code script} is the daemon; both to the end. */
    void meet(SpreadConnection client, String name, Script script) throws Exception {
        meet(client, name, false, script);
    }

    void meet(SpreadConnection client, String name, boolean priority, Script script)
            throws Exception {
        CompletableFuture<Void> served =
                CompletableFuture.runAsync(
                        () -> {
                            try {
                                accept();
                                script.run();
                            } catch (Exception e) {
                                throw new java.util.concurrent.CompletionException(e);
                            }
                        });
        try {
            client.connect(InetAddress.getLoopbackAddress(), port(), name, priority, true);
        } finally {
            served.get();
        }
    }

    /** Part of a daemon. */
    interface Script {
        void run() throws Exception;
    }

    /** A connected client. */
    SpreadConnection welcome(String name) throws Exception {
        SpreadConnection client = new SpreadConnection();
        meet(client, name, this::handshake);
        return client;
    }

    void accept() throws IOException {
        socket = listener.accept();
        socket.setTcpNoDelay(true);
        in = new DataInputStream(socket.getInputStream());
        out = socket.getOutputStream();
    }

    void readRequest() throws IOException {
        byte[] start = new byte[5];
        in.readFully(start);
        byte[] name = new byte[start[4]];
        in.readFully(name);
        request = Arrays.copyOf(start, 5 + name.length);
        System.arraycopy(name, 0, request, 5, name.length);
    }

    void readMethods() throws IOException {
        methods = new byte[90];
        in.readFully(methods);
    }

    void handshake() throws IOException {
        readRequest();
        offer("NULL ");
        readMethods();
        answer(1, 5, 0, 1, "#me#fake");
    }

    void offer(String list) throws IOException {
        out.write(list.length());
        out.write(list.getBytes(StandardCharsets.ISO_8859_1));
    }

    void answer(int code, int major, int minor, int patch, String group) throws IOException {
        byte[] name = group.getBytes(StandardCharsets.ISO_8859_1);
        ByteBuffer answer = ByteBuffer.allocate(5 + name.length);
        answer.put((byte) code).put((byte) major).put((byte) minor).put((byte) patch);
        answer.put((byte) name.length).put(name);
        out.write(answer.array());
    }

    /** A frame. {@code hint}: type word as on the wire. */
    static byte[] frame(
            ByteOrder order, int service, String sender, int hint, byte[] body, String... groups) {
        ByteBuffer frame = ByteBuffer.allocate(48 + 32 * groups.length + body.length).order(order);
        frame.putInt(order == ByteOrder.LITTLE_ENDIAN ? service | MARKERS : service);
        frame.put(field(sender)).putInt(groups.length);
        frame.order(ByteOrder.BIG_ENDIAN).putInt(hint).order(order).putInt(body.length);
        for (String group : groups) {
            frame.put(field(group));
        }
        frame.put(body);
        return frame.array();
    }

    static byte[] field(String name) {
        return Arrays.copyOf(name.getBytes(StandardCharsets.ISO_8859_1), 32);
    }

    /** The next frame of the client. */
    byte[] readFrame() throws IOException {
        byte[] header = new byte[48];
        in.readFully(header);
        ByteBuffer words = ByteBuffer.wrap(header);
        if ((words.getInt(0) & MARKERS) == MARKERS) {
            words.order(ByteOrder.LITTLE_ENDIAN);
        }
        int rest = 32 * words.getInt(36) + words.getInt(44);
        byte[] frame = Arrays.copyOf(header, 48 + rest);
        in.readFully(frame, 48, rest);
        return frame;
    }

    /** Closes the connection; with a reset if there is unread input. */
    void hangUp() throws IOException {
        socket.close();
    }

    /** Closes the connection with a reset. */
    void reset() throws IOException {
        socket.setSoLinger(true, 0);
        socket.close();
    }

    @Override
    public void close() throws IOException {
        listener.close();
        if (socket != null) {
            socket.close();
        }
    }
}
