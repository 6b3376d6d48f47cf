import java.io.DataInputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/**
 * How fast a Java program could send one by one that has nothing to do but to write: each message is ready, and is
 * one write of the JDK.
 *
 * <p>Arguments: {@code channel|stream PORT BODY COUNT}; the other side is {@link Peer}, a sink. Prints as {@link
 * Benchmark} does. {@code floor.c} is the same for C.
 */
public final class Floor {

    private static final int HEADER = 48;

    private Floor() {}

    /** One message on its way. */
    private interface Write {
        void run() throws IOException;
    }

    /** See the class. */
    public static void main(String[] args) throws Exception {
        InetAddress here = InetAddress.getByName("127.0.0.1");
        int body = Integer.parseInt(args[2]);
        int count = Integer.parseInt(args[3]);
        ByteBuffer frame = ByteBuffer.allocateDirect(HEADER + 32 + body);
        frame.putInt(0, 4).putInt(36, 1).putInt(44, body).put(HEADER, (byte) 'r');
        byte[] bytes = new byte[frame.capacity()];
        frame.get(bytes);
        try (SocketChannel channel =
                SocketChannel.open(new InetSocketAddress(here, Integer.parseInt(args[1])))) {
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            // Connect message, choice of methods, answer.
            channel.socket().getOutputStream().write(new byte[] {5, 0, 1, 0, 1, 'f'});
            DataInputStream in = new DataInputStream(channel.socket().getInputStream());
            in.readFully(new byte[6]);
            channel.socket().getOutputStream().write(new byte[90]);
            in.readFully(new byte[5 + 8]);
            if (args[0].equals("stream")) {
                measure(count, () -> channel.socket().getOutputStream().write(bytes));
            } else {
                measure(
                        count,
                        () -> {
                            frame.clear();
                            while (frame.hasRemaining()) {
                                channel.write(frame);
                            }
                        });
            }
        }
    }

    private static long cpu() {
        return ((com.sun.management.OperatingSystemMXBean)
                        ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }

    /** The first third is for warming up. */
    private static void measure(int count, Write write) throws IOException {
        for (int i = 0; i < count / 3; i++) {
            write.run();
        }
        int measured = count - count / 3;
        long cpu = cpu();
        long start = System.nanoTime();
        for (int i = 0; i < measured; i++) {
            write.run();
        }
        System.out.printf(
                "%.0f messages/s, %.2f us CPU per message%n",
                measured * 1e9 / (System.nanoTime() - start), (cpu() - cpu) / 1e3 / measured);
    }
}
