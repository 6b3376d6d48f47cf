package spread;

/**
 * A group, or the private group of one session. Groups that a program makes can be joined and left;
 * those that messages bring along are bound to the connection that they came over.
 */
public class SpreadGroup {

    private SpreadConnection connection;
    private String name;

    /** A group without a name, to be joined. */
    public SpreadGroup() {}

    /**
     * A group by name.
     *
     * @param connection that it is bound to; null for none
     * @param name is not checked
     */
    protected SpreadGroup(SpreadConnection connection, String name) {
        this.connection = connection;
        this.name = name;
    }

    /**
     * Joins a group. When this returns the request is with the system; the membership message that
     * lists the own private group confirms it.
     *
     * @param connection to join over
     * @param name at most 31 characters from {@code $} to {@code ~}
     * @throws SpreadException if this object has joined before and not left, if the name cannot be, or
     *     if the connection is not connected. The object can be used for another attempt
     */
    public void join(SpreadConnection connection, String name) throws SpreadException {
        if (this.connection != null) {
            throw new SpreadException("Already joined.");
        }
        for (byte character : Names.encode(name)) {
            if (character < '$' || character > '~') {
                throw new SpreadException("Illegal character in group name.");
            }
        }
        String before = this.name;
        // First, as the answer may be in a listener's hands before this returns.
        this.connection = connection;
        this.name = name;
        boolean done = false;
        try {
            connection.multicast(request(SpreadMessage.JOIN_MESS));
            done = true;
        } finally {
            if (!done) {
                this.connection = null;
                this.name = before;
            }
        }
    }

    /**
     * Leaves the group. The object can then join again, this or another group.
     *
     * @throws SpreadException if it has not joined, or the connection is not connected
     */
    public void leave() throws SpreadException {
        SpreadConnection from = connection;
        if (from == null) {
            throw new SpreadException("No group to leave.");
        }
        from.multicast(request(SpreadMessage.LEAVE_MESS));
        connection = null;
    }

    /** Goes through multicast, as in the classic library: programs override that. */
    private SpreadMessage request(int service) {
        SpreadMessage message = new SpreadMessage();
        message.setServiceType(service);
        message.addGroup(this);
        return message;
    }

    /** Whether the other is of the very same class and has the same name. */
    @Override
    public boolean equals(Object object) {
        return object != null
                && object.getClass() == getClass()
                && name.equals(((SpreadGroup) object).name);
    }

    /** That of the name. */
    @Override
    public int hashCode() {
        return name.hashCode();
    }

    /** The name; null if it has none yet. */
    @Override
    public String toString() {
        return name;
    }
}
