package programs;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import spread.MembershipInfo;
import spread.SpreadConnection;
import spread.SpreadGroup;
import spread.SpreadMessage;

/**
 * A member of a group, driven by lines on standard input; its twin in C is {@code peer.c}. Knows the
 * classic interface alone: it runs with the classic jar too.
 *
 * <p>Arguments: address, port, name. In addition to the C one: {@code object G TEXT}, {@code digest G
 * TEXT TEXT}, after which data is printed as {@code object ...}.
 */
public final class Peer {

    private Peer() {}

    /** See the class. */
    public static void main(String[] args) throws Exception {
        SpreadConnection connection = new SpreadConnection();
        connection.connect(
                InetAddress.getByName(args[0]), Integer.parseInt(args[1]), args[2], false, true);
        say("connected " + connection.getPrivateGroup());
        Thread receiver =
                new Thread(
                        () -> {
                            try {
                                while (true) {
                                    say(describe(connection.receive()));
                                }
                            } catch (Exception e) {
                                say("lost " + e.getMessage());
                            }
                        });
        receiver.setDaemon(true);
        receiver.start();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        Map<String, SpreadGroup> joined = new HashMap<>();
        String line;
        while ((line = lines.readLine()) != null && !line.equals("quit")) {
            String[] words = line.split(" ");
            SpreadMessage message = new SpreadMessage();
            message.setAgreed();
            switch (words[0]) {
                case "join":
                    joined.put(words[1], new SpreadGroup());
                    joined.get(words[1]).join(connection, words[1]);
                    continue;
                case "leave":
                    joined.get(words[1]).leave();
                    continue;
                case "send":
                    message.setType(Short.parseShort(words[2]));
                    message.setData(words[3].getBytes(StandardCharsets.ISO_8859_1));
                    break;
                case "object":
                    message.setType((short) -77);
                    message.setObject(words[2]);
                    break;
                default:
                    message.setType((short) -77);
                    message.digest(words[2]);
                    message.digest(words[3]);
            }
            message.addGroup(words[1]);
            connection.multicast(message);
        }
        connection.disconnect();
        System.exit(0);
    }

    private static synchronized void say(String line) {
        System.out.println(line);
    }

    private static String names(SpreadGroup[] groups) {
        StringBuilder text = new StringBuilder();
        for (SpreadGroup group : groups) {
            text.append(text.length() == 0 ? "" : ",").append(group);
        }
        return text.length() == 0 ? "-" : text.toString();
    }

    private static String describe(SpreadMessage message) throws Exception {
        String service = Integer.toHexString(message.getServiceType());
        if (message.isRegular()) {
            String text =
                    message.getType() == -77
                            ? message.getDigest().toString()
                            : new String(message.getData(), StandardCharsets.ISO_8859_1);
            return String.join(
                    " ",
                    "data",
                    message.getSender().toString(),
                    String.valueOf(message.getType()),
                    message.getEndianMismatch() ? "1" : "0",
                    service,
                    names(message.getGroups()),
                    text.replace(" ", ""));
        }
        MembershipInfo info = message.getMembershipInfo();
        SpreadGroup who = info.isCausedByJoin() ? info.getJoined() : info.getLeft();
        return String.join(
                " ",
                "member",
                message.getSender().toString(),
                service,
                names(message.getGroups()),
                String.valueOf(message.getType()),
                who == null ? "-" : who.toString());
    }
}
