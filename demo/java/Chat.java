import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import spread.AdvancedMessageListener;
import spread.MembershipInfo;
import spread.SpreadConnection;
import spread.SpreadGroup;
import spread.SpreadMessage;

/**
 * Chat HOST PORT USER GROUP: says to a group what comes in lines, and prints what the others say. Knows
 * the classic interface alone.
 */
public final class Chat {

    private Chat() {}

    /** See the class. */
    public static void main(String[] args) throws Exception {
        SpreadConnection connection = new SpreadConnection();
        connection.add(new Printer());
        connection.connect(
                InetAddress.getByName(args[0]), Integer.parseInt(args[1]), args[2], false, true);
        SpreadGroup group = new SpreadGroup();
        group.join(connection, args[3]);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        String line;
        while ((line = lines.readLine()) != null) {
            SpreadMessage message = new SpreadMessage();
            message.setAgreed();
            message.addGroup(args[3]);
            message.setData(line.getBytes(StandardCharsets.ISO_8859_1));
            connection.multicast(message);
        }
        group.leave();
        connection.disconnect();
    }

    /** Prints what happens. */
    private static final class Printer implements AdvancedMessageListener {
        @Override
        public void regularMessageReceived(SpreadMessage message) {
            String text = new String(message.getData(), StandardCharsets.ISO_8859_1);
            System.out.println("message: \"" + text + "\", sent by " + message.getSender());
        }

        @Override
        public void membershipMessageReceived(SpreadMessage message) {
            MembershipInfo info = message.getMembershipInfo();
            if (info != null && info.isRegularMembership()) {
                StringBuilder line = new StringBuilder("members of " + info.getGroup() + ":");
                for (SpreadGroup member : info.getMembers()) {
                    line.append(' ').append(member);
                }
                System.out.println(line);
            }
        }
    }
}
