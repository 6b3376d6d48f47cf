import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.util.Arrays;
import spread.SpreadConnection;
import spread.SpreadGroup;
import spread.SpreadMessage;

/**
 * Measures a client jar; compiled once, run with the one or the other on the class path.
 *
 * <p>Arguments: {@code receive|listen|send|array|trip PORT BODY COUNT}. The other side is {@link Peer}, in a process
 * of its own. Prints {@code name value unit} lines.
 */
public final class Benchmark {

    private Benchmark() {}

    /** See the class. */
    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[1]);
        int body = Integer.parseInt(args[2]);
        int count = Integer.parseInt(args[3]);
        SpreadConnection connection = new SpreadConnection();
        connection.connect(InetAddress.getByName("127.0.0.1"), port, "bench", false, false);
        switch (args[0]) {
            case "receive":
                receive(connection, count);
                break;
            case "listen":
                listen(connection, count);
                break;
            case "send":
                send(connection, body, count);
                break;
            case "array":
                array(connection, body, count);
                break;
            default:
                trip(connection, body, count);
        }
        System.exit(0);
    }

    private static long cpu() {
        return ((com.sun.management.OperatingSystemMXBean)
                        ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }

    private static void report(int count, long wall, long cpu) {
        System.out.printf(
                "%.0f messages/s, %.2f us CPU per message%n",
                count * 1e9 / wall, cpu / 1e3 / count);
    }

    /** The first third is for warming up. */
    private static void receive(SpreadConnection connection, int count) throws Exception {
        long sum = 0;
        for (int i = 0; i < count / 3; i++) {
            sum += connection.receive().getData().length;
        }
        int measured = count - count / 3;
        long cpu = cpu();
        long start = System.nanoTime();
        for (int i = 0; i < measured; i++) {
            sum += connection.receive().getData().length;
        }
        report(measured, System.nanoTime() - start, cpu() - cpu);
        if (sum == 0) {
            throw new AssertionError("nothing came");
        }
    }

    private static void listen(SpreadConnection connection, int count) throws Exception {
        int warm = count / 3;
        long[] marks = new long[3];
        java.util.concurrent.CountDownLatch done = new java.util.concurrent.CountDownLatch(1);
        connection.add(
                new spread.BasicMessageListener() {
                    private int got;

                    @Override
                    public void messageReceived(SpreadMessage message) {
                        got++;
                        if (got == warm) {
                            marks[0] = cpu();
                            marks[1] = System.nanoTime();
                        } else if (got == count) {
                            marks[2] = System.nanoTime();
                            done.countDown();
                        }
                    }
                });
        done.await();
        report(count - warm, marks[2] - marks[1], cpu() - marks[0]);
    }

    private static void send(SpreadConnection connection, int body, int count) throws Exception {
        SpreadMessage message = new SpreadMessage();
        message.setFifo();
        message.addGroup("room");
        message.setData(new byte[body]);
        for (int i = 0; i < count / 3; i++) {
            connection.multicast(message);
        }
        int measured = count - count / 3;
        long cpu = cpu();
        long start = System.nanoTime();
        for (int i = 0; i < measured; i++) {
            connection.multicast(message);
        }
        report(measured, System.nanoTime() - start, cpu() - cpu);
    }

    /** Arrays of twenty. */
    private static void array(SpreadConnection connection, int body, int count) throws Exception {
        SpreadMessage[] messages = new SpreadMessage[20];
        for (int i = 0; i < messages.length; i++) {
            messages[i] = new SpreadMessage();
            messages[i].setFifo();
            messages[i].addGroup("room");
            messages[i].setData(new byte[body]);
        }
        for (int i = 0; i < count / 3; i += messages.length) {
            connection.multicast(messages);
        }
        int measured = 0;
        long cpu = cpu();
        long start = System.nanoTime();
        for (; measured < count - count / 3; measured += messages.length) {
            connection.multicast(messages);
        }
        report(measured, System.nanoTime() - start, cpu() - cpu);
    }

    private static void trip(SpreadConnection connection, int body, int count) throws Exception {
        new SpreadGroup().join(connection, "room");
        SpreadMessage message = new SpreadMessage();
        message.setFifo();
        message.addGroup("room");
        message.setData(new byte[body]);
        int warm = count / 3;
        long[] times = new long[count - warm];
        for (int i = 0; i < count; i++) {
            long start = System.nanoTime();
            connection.multicast(message);
            connection.receive();
            if (i >= warm) {
                times[i - warm] = System.nanoTime() - start;
            }
        }
        Arrays.sort(times);
        System.out.printf(
                "p50 %.1f us, p99 %.1f us%n",
                times[times.length / 2] / 1e3, times[times.length * 99 / 100] / 1e3);
    }
}
