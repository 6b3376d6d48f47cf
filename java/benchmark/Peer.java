import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;

/**
 * A daemon that does one thing as fast as it can, for one client after the other.
 *
 * <p>Arguments: {@code source BODY} sends messages for as long as the client reads, {@code sink} reads,
 * {@code echo} sends every message back, as one client of a daemon sees its own. Prints its port.
 */
public final class Peer {

    private static final int HEADER = 48;

    private Peer() {}

    /** See the class. */
    public static void main(String[] args) throws Exception {
        try (ServerSocket listener = listen()) {
            System.out.println(listener.getLocalPort());
            while (true) {
                try (Socket socket = listener.accept()) {
                    socket.setTcpNoDelay(true);
                    serve(socket, args);
                } catch (IOException e) {
                    // The client has gone.
                }
            }
        }
    }

    /** The classic client takes no ports above 32768. */
    private static ServerSocket listen() throws IOException {
        for (int port = 24500; ; port++) {
            try {
                return new ServerSocket(port, 10, InetAddress.getByName("127.0.0.1"));
            } catch (IOException e) {
                if (port == 32000) {
                    throw e;
                }
            }
        }
    }

    private static void serve(Socket socket, String[] args) throws IOException {
        DataInputStream in = new DataInputStream(socket.getInputStream());
        OutputStream out = socket.getOutputStream();
        byte[] start = new byte[5];
        in.readFully(start);
        in.readFully(new byte[start[4]]);
        out.write("\5NULL ".getBytes("ISO-8859-1"));
        in.readFully(new byte[90]);
        out.write("\1\5\0\1\10#bench#p".getBytes("ISO-8859-1"));
        switch (args[0]) {
            case "source":
                source(out, Integer.parseInt(args[1]));
                break;
            case "sink":
                byte[] rubbish = new byte[1 << 18];
                while (in.read(rubbish) >= 0) {}
                break;
            default:
                echo(socket, out);
        }
    }

    private static void source(OutputStream out, int body) throws IOException {
        ByteBuffer frame = ByteBuffer.allocate(HEADER + 32 + body);
        frame.putInt(4).put("#sender#p".getBytes("ISO-8859-1")).putInt(36, 1).putInt(44, body);
        frame.position(HEADER);
        frame.put("room".getBytes("ISO-8859-1"));
        int many = Math.max(1, (1 << 17) / frame.capacity());
        ByteBuffer frames = ByteBuffer.allocate(many * frame.capacity());
        for (int i = 0; i < many; i++) {
            frames.put(frame.array());
        }
        while (true) {
            out.write(frames.array());
        }
    }

    /** Whole messages, as soon as they are there. */
    private static void echo(Socket socket, OutputStream out) throws IOException {
        byte[] bytes = new byte[1 << 20];
        ByteBuffer words = ByteBuffer.wrap(bytes);
        int filled = 0;
        while (true) {
            int got = socket.getInputStream().read(bytes, filled, bytes.length - filled);
            if (got < 0) {
                return;
            }
            filled += got;
            int end = 0;
            int from = 0;
            while (filled - end >= HEADER) {
                int total = HEADER + 32 * words.getInt(end + 36) + words.getInt(end + 44);
                if (filled - end < total) {
                    break;
                }
                if (words.getInt(end) >= 0x10000) {
                    // A join: no answer.
                    from = end + total;
                }
                end += total;
            }
            out.write(bytes, from, end - from);
            System.arraycopy(bytes, end, bytes, 0, filled - end);
            filled -= end;
        }
    }
}
