package spread;

import spread.testing.TestNetwork;

/** A connection in a test, with what tests keep doing. */
final class Peer implements AutoCloseable {

    final SpreadConnection connection;

    private Peer(SpreadConnection connection) {
        this.connection = connection;
    }

    /** A connection with memberships. */
    static Peer at(TestNetwork.Daemon daemon, String name) throws SpreadException {
        return at(daemon, name, true);
    }

    static Peer at(TestNetwork.Daemon daemon, String name, boolean membership)
            throws SpreadException {
        SpreadConnection connection = new SpreadConnection();
        connection.connect(daemon.address(), daemon.port(), name, false, membership);
        return new Peer(connection);
    }

    String name() {
        return connection.getPrivateGroup().toString();
    }

    /** Joins, and waits until it is done. */
    SpreadGroup join(String name) throws Exception {
        SpreadGroup group = new SpreadGroup();
        group.join(connection, name);
        SpreadMessage message;
        do {
            message = connection.receive();
        } while (!message.isMembership()
                || !message.getMembershipInfo().isCausedByJoin()
                || !message.getSender().toString().equals(name)
                || !message.getMembershipInfo().getJoined().equals(connection.getPrivateGroup()));
        return group;
    }

    SpreadMessage next() throws Exception {
        return connection.receive();
    }

    /** The next message with data. */
    SpreadMessage data() throws Exception {
        SpreadMessage message;
        do {
            message = connection.receive();
        } while (!message.isRegular());
        return message;
    }

    /** The next membership of this cause. */
    SpreadMessage membership(int cause) throws Exception {
        SpreadMessage message;
        do {
            message = connection.receive();
        } while (!message.isMembership() || (message.getServiceType() & cause) == 0);
        return message;
    }

    static SpreadMessage message(String group, byte... body) {
        SpreadMessage message = new SpreadMessage();
        message.setFifo();
        message.addGroup(group);
        message.setData(body);
        return message;
    }

    void send(String group, byte... body) throws SpreadException {
        connection.multicast(message(group, body));
    }

    @Override
    public void close() throws SpreadException {
        if (connection.isConnected()) {
            connection.disconnect();
        }
    }
}
