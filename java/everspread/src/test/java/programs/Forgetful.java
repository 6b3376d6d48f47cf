package programs;

import java.net.InetAddress;
import spread.BasicMessageListener;
import spread.SpreadConnection;
import spread.SpreadGroup;

/** Ends in the way that its last argument tells, with connections open. */
public final class Forgetful {

    private Forgetful() {}

    /** Arguments: address, port, and {@code return}, {@code exit}, {@code halt} or {@code throw}. */
    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 3; i++) {
            SpreadConnection connection = new SpreadConnection();
            connection.connect(
                    InetAddress.getByName(args[0]), Integer.parseInt(args[1]), "f" + i, false, true);
            new SpreadGroup().join(connection, "room");
            if (i == 0) {
                connection.add((BasicMessageListener) message -> {});
            } else if (i == 1) {
                Thread receiver =
                        new Thread(
                                () -> {
                                    try {
                                        while (true) {
                                            connection.receive();
                                        }
                                    } catch (Exception e) {
                                        System.out.println("receiver: " + e);
                                    }
                                });
                receiver.setDaemon(true);
                receiver.start();
            }
        }
        System.out.println("ready");
        switch (args[2]) {
            case "exit":
                System.exit(0);
                break;
            case "halt":
                Runtime.getRuntime().halt(0);
                break;
            case "throw":
                throw new IllegalStateException("on purpose");
            default:
        }
    }
}
