package programs;

import spread.SpreadConnection;
import spread.SpreadGroup;
import spread.SpreadMessage;
import spread.SpreadVersion;

/** Uses what is to be had without a connection. */
public final class Values {

    private Values() {}

    public static void main(String[] arguments) throws Exception {
        SpreadMessage message = new SpreadMessage();
        message.addGroup("room");
        message.digest("thing");
        SpreadConnection connection = new SpreadConnection();
        SpreadGroup group = message.getGroups()[0];
        if (!connection.isConnected()) {
            System.out.println(message.getDigest() + " " + group + " " + new SpreadVersion());
        }
    }
}
